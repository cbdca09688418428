{#
    The additive measures of a member's day, the columns of fact_user_day, with the entity, and the field of it, without
    which the source says nothing of them. Their sums must not depend on the order of the terms, or two builds of one
    snapshot would differ in the last bit: what is no whole number is made summable.
#}
{% macro day_measures() %}
    {{ return([
        {'name': 'booked_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'lead_hours_sum', 'type': 'float8', 'entity': 'bookings'},
        {'name': 'visit_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'joint_visit_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'closed_booking_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'cancelled_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'late_cancelled_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'no_show_count', 'type': 'int', 'entity': 'bookings'},
        {'name': 'stations_done', 'type': 'int', 'entity': 'bookings', 'field': 'stations_done'},
        {'name': 'stations_planned', 'type': 'int', 'entity': 'bookings', 'field': 'stations_planned'},
        {'name': 'set_count', 'type': 'int', 'entity': 'station_results'},
        {'name': 'heart_rate_set_count', 'type': 'int', 'entity': 'station_results', 'field': 'has_heart_rate'},
        {'name': 'heart_rate_count', 'type': 'int', 'entity': 'station_results', 'field': 'heart_rate_mean'},
        {'name': 'heart_rate_sum', 'type': 'float8', 'entity': 'station_results', 'field': 'heart_rate_mean'},
        {'name': 'weight_set_count', 'type': 'int', 'entity': 'station_results', 'field': 'weight_kg'},
        {'name': 'weight_sum_kg', 'type': 'float8', 'entity': 'station_results', 'field': 'weight_kg'},
        {'name': 'weight_progress_sum', 'type': 'float8', 'entity': 'station_results', 'field': 'weight_kg'},
        {'name': 'app_session_count', 'type': 'int', 'entity': 'app_sessions'},
        {'name': 'app_timed_count', 'type': 'int', 'entity': 'app_sessions', 'field': 'duration_minutes'},
        {'name': 'app_minutes', 'type': 'float8', 'entity': 'app_sessions', 'field': 'duration_minutes'},
        {'name': 'feed_count', 'type': 'int', 'entity': 'app_sessions', 'field': 'has_opened_feed'},
        {'name': 'leaderboard_count', 'type': 'int', 'entity': 'app_sessions', 'field': 'has_opened_leaderboard'},
        {'name': 'achievement_count', 'type': 'int', 'entity': 'app_sessions', 'field': 'has_opened_achievements'},
        {'name': 'steps', 'type': 'int', 'entity': 'daily_steps'},
        {'name': 'step_day_count', 'type': 'int', 'entity': 'daily_steps'},
        {'name': 'social_action_count', 'type': 'int', 'entity': 'social_actions'},
        {'name': 'post_count', 'type': 'int', 'entity': 'social_actions'},
        {'name': 'reaction_count', 'type': 'int', 'entity': 'social_actions'},
        {'name': 'friend_added_count', 'type': 'int', 'entity': 'social_actions'},
        {'name': 'ticket_count', 'type': 'int', 'entity': 'support_tickets'},
        {'name': 'tone_count', 'type': 'int', 'entity': 'support_tickets'},
        {'name': 'tone_sum', 'type': 'float8', 'entity': 'support_tickets'},
        {'name': 'assessment_count', 'type': 'int', 'entity': 'assessments'},
        {'name': 'failed_payment_count', 'type': 'int', 'entity': 'payments', 'field': 'status'},
    ]) }}
{% endmacro %}

{#
    A value on a grid of 2^-30, about 1e-9: such floats add up exactly to 8 million, in any order. Exact numerics would
    too, at twice the time.
#}
{% macro summable(value) -%}
    (round(({{ value }})::float8 * 1073741824) / 1073741824)
{%- endmacro %}

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
