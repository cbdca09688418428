with final as (
    {% call event_versions('app_events') %}
    select
        event_id,
        user_id,
        occurred_at,
        {{ studio_day('occurred_at') }} as occurred_on,
        type,
        metadata
    {%- endcall %}
)

select * from final
