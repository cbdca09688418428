{#
    Memory for the sorts of one model, within its transaction. Just-in-time compilation costs more than it
    gives on queries that take a second.
#}
{% macro roomy_session() -%}
    set local work_mem = '128MB'; set local jit = off;
{%- endmacro %}

{#
    For models made of many CTEs, of whose size the planner knows nothing: it expects one row and loops over
    a million (measured on 64,000 rows of member_snapshot: stopped after nine minutes, with hash joins five seconds).
#}
{% macro only_hash_joins() -%}
    set local enable_nestloop = off; set local enable_mergejoin = off;
{%- endmacro %}

{# Fresh statistics for a table that later models join: autovacuum comes too late within one run. #}
{% macro analyzed() -%}
    analyze {{ this }}
{%- endmacro %}

{# Delete what a run is about to insert, in the transaction of the insert. #}
{% macro delete_where(condition) -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ condition }}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# Older days keep their Sundays; the days of this run stay as they are. Days are named, so that the key is used. #}
{% macro prune_snapshots() -%}
    delete from {{ this }}
    where as_of_date = any(array(
        select day::date
        from (select min(as_of_date) as first_on, max(as_of_date) as last_on from {{ this }}) as bounds
        cross join generate_series(first_on, last_on - {{ var('snapshot_keep_days') }}, interval '1 day') as day
        where extract(isodow from day) <> 7 and day::date not between {{ window_start() }} and {{ window_end() }}
    ))
{%- endmacro %}

{#
    Delete the rows of interval_hp that a run may find different: those of spells whose passes or freezes have
    changed, weeks whose outcome is not known for good, and the last week of every spell that goes on.
#}
{% macro delete_unsettled_intervals() -%}
    {%- if not is_incremental() -%}
        select 1
    {%- elif opens_at_the_beginning() -%}
        delete from {{ this }}
    {%- else -%}
        delete from {{ this }} as intervals
        where event is null
            or not is_matured
            or not exists (
                select from {{ ref('int_spell_inputs') }} as inputs
                where inputs.spell_id = intervals.spell_id and inputs.spell_hash = intervals.spell_hash
            )
            or (spell_id, week_start) in (
                select spell_id, max(week_start)
                from {{ this }}
                group by spell_id
                having not bool_or(coalesce(event, false))
            )
    {%- endif -%}
{%- endmacro %}

{# Whether a model adds to the rows that it has; asked here, so that unit tests need not say that they are fresh. #}
{% macro adds_to_its_rows() -%}
    {{ return(this is not none and is_incremental()) }}
{%- endmacro %}
