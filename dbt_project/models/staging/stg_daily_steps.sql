with final as (
    {% call event_versions('daily_steps') %}
    select
        steps_id,
        user_id,
        counted_at,
        {{ studio_day('counted_at') }} as counted_on,
        steps
    {%- endcall %}
)

select * from final
