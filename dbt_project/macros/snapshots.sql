{#
    The days of which a run takes snapshots, or those of them that are no Sundays: the CTE as_of_dates. Training reads
    Sundays; the last days are kept one by one, since they are scored.
#}
{% macro snapshot_days(besides_sundays=false) %}
as_of_dates as (
    select day::date as as_of_date
    from generate_series(
        {{ '(select min(purchased_on) from ' ~ ref('int_hero_passes_versioned') ~ ')' if opens_at_the_beginning() else window_start() }},
        {{ window_end() }},
        interval '1 day'
    ) as day
    where extract(isodow from day) {{ '<> 7 and' if besides_sundays else '= 7 or' }}
        day::date > {{ window_end() }} - {{ var('snapshot_keep_days') }}
)
{%- endmacro %}

{# The pass that covers each as-of date, the latest to end of several: the CTE active_passes, from rows like the clock's. #}
{% macro active_passes(clock='pass_clock') %}
active_passes as (
    select distinct on (as_of_date, user_id) *
    from {{ clock }}
    where as_of_date between starts_on and hp_end_corrected
    order by as_of_date, user_id, hp_end_corrected desc, starts_on desc, hp_id
)
{%- endmacro %}
