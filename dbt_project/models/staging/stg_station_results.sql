with final as (
    {% call event_versions('station_results') %}
    select
        result_id,
        booking_id,
        user_id,
        performed_at,
        {{ studio_day('performed_at') }} as performed_on,
        station,
        weight_kg,
        reps,
        has_heart_rate,
        heart_rate_mean,
        heart_rate_max
    {%- endcall %}
)

select * from final
