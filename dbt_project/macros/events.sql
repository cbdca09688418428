{#
    Events as they were known. What a document said before it changed, or was gone, stands in a table of its own and was
    known until then.
#}

{#
    Each version of an event up to the horizon. The caller writes `select` and the columns of both tables, and ends there.

    Adds known_at and known_on, from when on it was known, and known_until and known_until_on, until when; these are null,
    and 9999-12-31, where it still is.
#}
{% macro event_versions(entity) -%}
    {%- set standing = source('ris_raw', entity) -%}
    {%- set superseded = standing.incorporate(path={'identifier': entity ~ '_superseded'}) %}
    {%- for relation, known_until, known_until_on in [
        (standing, 'null::timestamptz', "date '9999-12-31'"),
        (superseded, 'known_until', studio_day('greatest(event_at, known_until)')),
    ] %}
    {{- caller() }},
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        {{ known_until }} as known_until,
        {{ known_until_on }} as known_until_on
    from {{ relation }}
    where {{ is_before('event_at', horizon_end()) }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
    What a window brought to be known of events, as a select: a version that became known, with change 1, and one that was
    no longer so, with change -1, each with changed_on, the day. Sums over change up to a day say what was known then.

    since_ever: what was known before the window counts too.
#}
{% macro event_changes(relation, instant, since_ever=false) %}
    {%- for changed_on, known, change in [('known_on', 'known_at', '1'), ('known_until_on', 'known_until', '-1')] %}
    select *, {{ changed_on }} as changed_on, {{ change }} as change
    from {{ relation }}
    where {{ changed_on ~ ' <= ' ~ window_end() if since_ever else known_within_window(instant, known) }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Whether a version of an event is the one that is known at the horizon. Plain comparisons: days would have to be reckoned. #}
{% macro is_what_is_known(version) -%}
    ({{ version }}.known_at >= {{ horizon_end() }}) is not true and ({{ version }}.known_until < {{ horizon_end() }}) is not true
{%- endmacro %}
