with changes as (
    {{- event_changes(ref('stg_social_actions'), 'acted_at', since_ever=not adds_to_its_rows()) }}
),

final as (
    select
        user_id,
        acted_at,
        changed_on as known_on,
        change
    from changes
    where kind = 'clan_joined'
)

select * from final
