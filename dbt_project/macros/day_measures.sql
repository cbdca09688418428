{#
    The additive measures of a member's day, the columns of fact_user_day. Exact types: a sum must not depend
    on the order of its terms, or two builds of one snapshot would differ in the last bit.
#}
{% macro day_measures() %}
    {{ return([
        {'name': 'booked_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'lead_hours_sum', 'type': 'numeric', 'entity': 'bookings'},
        {'name': 'visit_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'joint_visit_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'closed_booking_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'cancelled_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'late_cancelled_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'no_show_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'stations_done', 'type': 'int', 'entity': 'bookings'},
        {'name': 'stations_planned', 'type': 'int', 'entity': 'bookings'},
        {'name': 'set_count', 'type': 'int', 'entity': 'station_results'},
        {'name': 'heart_rate_set_count', 'type': 'int', 'entity': 'station_results'},
        {'name': 'heart_rate_count', 'type': 'int', 'entity': 'station_results'},
        {'name': 'heart_rate_sum', 'type': 'numeric', 'entity': 'station_results'},
        {'name': 'weight_set_count', 'type': 'int', 'entity': 'station_results'},
        {'name': 'weight_sum_kg', 'type': 'numeric', 'entity': 'station_results'},
        {'name': 'weight_progress_sum', 'type': 'numeric', 'entity': 'station_results'},
        {'name': 'app_session_count', 'type': 'int', 'entity': 'app_sessions'},
        {'name': 'app_minutes', 'type': 'numeric', 'entity': 'app_sessions'},
        {'name': 'feed_count', 'type': 'int', 'entity': 'app_sessions'},
        {'name': 'leaderboard_count', 'type': 'int', 'entity': 'app_sessions'},
        {'name': 'achievement_count', 'type': 'int', 'entity': 'app_sessions'},
        {'name': 'steps', 'type': 'int', 'entity': 'daily_steps'},
        {'name': 'step_day_count', 'type': 'int', 'entity': 'daily_steps'},
        {'name': 'social_action_count', 'type': 'int', 'entity': 'social_actions'},
        {'name': 'post_count', 'type': 'int', 'entity': 'social_actions'},
        {'name': 'reaction_count', 'type': 'int', 'entity': 'social_actions'},
        {'name': 'friend_added_count', 'type': 'int', 'entity': 'social_actions'},
        {'name': 'ticket_count', 'type': 'int', 'entity': 'support_tickets'},
        {'name': 'tone_count', 'type': 'int', 'entity': 'support_tickets'},
        {'name': 'tone_sum', 'type': 'numeric', 'entity': 'support_tickets'},
        {'name': 'assessment_count', 'type': 'int', 'entity': 'assessments'},
        {'name': 'failed_payment_count', 'type': 'int', 'entity': 'payments'},
    ]) }}
{% endmacro %}

{# One select over CTEs that bring some measures each; the others are 0 there. #}
{% macro stack_measures(measures_by_cte) %}
    {%- for cte, given in measures_by_cte.items() %}
    select
        user_id,
        activity_date,
        known_on,
        {%- for measure in day_measures() %}
        {{ measure.name if measure.name in given else '0 as ' ~ measure.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ cte }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}
