with final as (
    {% call event_versions('social_actions') %}
    select
        action_id,
        user_id,
        acted_at,
        {{ studio_day('acted_at') }} as acted_on,
        kind,
        target_user_id
    {%- endcall %}
)

select * from final
