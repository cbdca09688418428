with final as (
    {% call event_versions('app_sessions') %}
    select
        session_id,
        user_id,
        started_at,
        {{ studio_day('started_at') }} as started_on,
        duration_minutes,
        has_opened_feed,
        has_opened_leaderboard,
        has_opened_achievements
    {%- endcall %}
)

select * from final
