with final as (
    {% call event_versions('body_measurements') %}
    select
        measurement_id,
        user_id,
        measured_at,
        {{ studio_day('measured_at') }} as measured_on,
        weight_kg,
        fat_share,
        muscle_kg
    {%- endcall %}
)

select * from final
