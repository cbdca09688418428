{# Studio days, the data horizon and the window of a run. Every rule about time lives here. #}

{# The studio day that an instant belongs to. #}
{% macro studio_day(instant) -%}
    ({{ instant }} at time zone '{{ var("timezone") }}')::date
{%- endmacro %}

{# The hour of the studio's clocks, 0-23. #}
{% macro studio_hour(instant) -%}
    extract(hour from {{ instant }} at time zone '{{ var("timezone") }}')::int
{%- endmacro %}

{# The last studio day of a span whose end is the first instant no longer in it. #}
{% macro last_studio_day(end_instant) -%}
    {{ studio_day("(" ~ end_instant ~ " - interval '1 microsecond')") }}
{%- endmacro %}

{# The first instant of a studio day. #}
{% macro start_of_day(day) -%}
    (({{ day }})::timestamp at time zone '{{ var("timezone") }}')
{%- endmacro %}

{# The last studio day that was extracted completely; null before the first extraction. #}
{% macro horizon() -%}
    (select max(through_day) from {{ source('ris_raw', 'extraction_log') }})
{%- endmacro %}

{# The first instant that the horizon does not cover. #}
{% macro horizon_end() -%}
    (select {{ start_of_day('max(through_day) + 1') }} from {{ source('ris_raw', 'extraction_log') }})
{%- endmacro %}

{# Whether the window of the run leaves out nothing of the past. #}
{% macro opens_at_the_beginning() -%}
    {{ return((var('from_date') | string) <= (var('history_start') | string)) }}
{%- endmacro %}

{% macro window_start() -%}
    date '{{ '1900-01-01' if opens_at_the_beginning() else var('from_date') }}'
{%- endmacro %}

{% macro last_day_asked_for() -%}
    date '{{ var("to_date") }}'
{%- endmacro %}

{# The last day of the window, never beyond the horizon. #}
{% macro window_end() -%}
    least({{ last_day_asked_for() }}, {{ horizon() }})
{%- endmacro %}

{#
    Whether an event became known in the window: on its own day, or later where it arrived late; or, with known_until,
    whether that ended which was known. Plain comparisons with days that the planner knows, so that the block ranges of
    the landing tables are used.
#}
{% macro known_within_window(instant, known='known_at') -%}
    ({{ instant }} >= {{ start_of_day(window_start()) }}
        or {{ known }} >= {{ start_of_day(window_start()) }})
        and {{ instant }} < {{ start_of_day(last_day_asked_for() ~ ' + 1') }}
        and {{ known }} < {{ start_of_day(last_day_asked_for() ~ ' + 1') }}
        and {{ is_before('greatest(' ~ instant ~ ', ' ~ known ~ ')', horizon_end()) }}
{%- endmacro %}

{#
    Whether an instant lies before one that the planner does not know, as nearly all do: it would take two in three to lie
    after it, and look in an index for that alone.
#}
{% macro is_before(instant, other) -%}
    ({{ instant }} >= {{ other }}) is false
{%- endmacro %}

{# The Monday of a day's week, counted from one long ago: truncating instants takes ten times as long. #}
{% macro week_of(day) -%}
    (({{ day }}) - (({{ day }}) - date '0001-01-01') % 7)
{%- endmacro %}

{# The calendar season of a day. #}
{% macro season(day) -%}
    case
        when extract(month from {{ day }}) in (12, 1, 2) then 'winter'
        when extract(month from {{ day }}) in (3, 4, 5) then 'spring'
        when extract(month from {{ day }}) in (6, 7, 8) then 'summer'
        else 'autumn'
    end
{%- endmacro %}

{# The week of the first day of the window, or of one so many days before it. #}
{% macro first_window_week(days_before=0) -%}
    {{ week_of(window_start() ~ ' - ' ~ days_before) }}
{%- endmacro %}

{#
    Whether week_start is of a week that the window touches. A complete week stays as it was known at its end: what is
    learned later changes nothing of it. No lower bound where there is none: the planner takes one row in two hundred to
    lie between bounds that it does not know.
#}
{% macro in_window_weeks(days_before=0) -%}
    week_start {{ '<= ' if opens_at_the_beginning() else 'between ' ~ first_window_week(days_before) ~ ' and ' }}{{ window_end() }}
{%- endmacro %}

{#
    As many weeks as the window can touch, after a series of them: the planner takes one to have a thousand, and makes room
    for what a thousand weeks of all passes would be.
#}
{% macro limit_to_window_weeks() -%}
    {%- if not opens_at_the_beginning() -%}
        {%- set first_day, last_day = modules.datetime.date.fromisoformat(var('from_date') | string),
            modules.datetime.date.fromisoformat(var('to_date') | string) -%}
        limit {{ (last_day - first_day).days // 7 + 2 }}
    {%- endif -%}
{%- endmacro %}

{# From the first day of these weeks to their last that has been seen: the CTE bounds, of one row. #}
{% macro weeks_bounds() -%}
bounds as (
    select
        {{ first_window_week() }} as window_start,
        least({{ week_of(window_end()) }} + 6, {{ horizon() }}) as window_end
)
{%- endmacro %}

{#
    What a data test looks at, where its config says so: `where: known_on in the window` are the days of the run,
    `where: week_start in the window of weeks` its weeks. What a run has not replaced was tested when it was made, and
    to test it daily would take longer than the day. Replaces a macro of dbt, which sees no other macros.
#}
{% macro postgres__get_where_subquery(relation) -%}
    {%- set opens_at_the_beginning = (var('from_date') | string) <= (var('history_start') | string) -%}
    {%- set first_day = "date '" ~ ('1900-01-01' if opens_at_the_beginning else var('from_date')) ~ "'" -%}
    {%- set last_day = "date '" ~ var('to_date') ~ "'" -%}
    {%- set where = (config.get('where') or '')
        | replace('in the window of weeks', "between date_trunc('week', " ~ first_day ~ ')::date and ' ~ last_day)
        | replace('in the window', 'between ' ~ first_day ~ ' and ' ~ last_day) -%}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ where ~ ') as dbt_subquery' if where else relation) }}
{%- endmacro %}
