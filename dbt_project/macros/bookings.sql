{# The columns of int_booking_changes, from a CTE of booking versions. #}
{% macro booking_change(booking, what, day, known_on, change) -%}
        {{ booking }}.source_id,
        {{ booking }}.user_id,
        {{ what }}::text as what,
        {{ day }} as activity_date,
        {{ known_on }} as known_on,
        {{ change }}::int as change,
        {{ booking }}.starts_at,
        {{ studio_hour(booking ~ '.starts_at') }} as class_hour,
        {{ booking }}.club_id,
        {{ booking }}.class_type,
        {{ booking }}.coach_id,
        {{ summable('extract(epoch from ' ~ booking ~ '.starts_at - ' ~ booking ~ '.booked_at)::float8 / 3600') }} as lead_hours,
        case when {{ booking }}.stations_planned > 0 then coalesce({{ booking }}.stations_done, 0) end
            as stations_done,
        nullif({{ booking }}.stations_planned, 0) as stations_planned
{%- endmacro %}
