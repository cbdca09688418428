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

{#
    Fresh statistics for a table that later models join: autovacuum comes too late within one run. Of six thousand rows,
    which tell joins enough; thirty thousand take six times as long. A day changes little of tables that it adds to.
#}
{% macro analyzed() -%}
    {%- if is_incremental() and not opens_at_the_beginning() -%}
        select 1
    {%- else -%}
        set local default_statistics_target = 20; analyze {{ this }};
    {%- endif -%}
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
    changed, and of each other spell the weeks from the first on whose outcome is not known for good, or the last
    week where the spell goes on.
#}
{% macro delete_unsettled_intervals() -%}
    {%- if not is_incremental() -%}
        select 1
    {%- elif opens_at_the_beginning() -%}
        delete from {{ this }}
    {%- else -%}
        delete from {{ this }} as intervals
        using (
            select
                kept.spell_id,
                case
                    when min(kept.spell_hash) = min(inputs.spell_hash)
                        then least(
                            min(kept.week_start) filter (where kept.event is null or not kept.is_matured),
                            case when not bool_or(coalesce(kept.event, false)) then max(kept.week_start) end
                        )
                    else '-infinity'
                end as from_week
            from {{ this }} as kept
            left join {{ ref('int_spell_inputs') }} as inputs on kept.spell_id = inputs.spell_id
            group by kept.spell_id
        ) as unsettled
        where intervals.spell_id = unsettled.spell_id and intervals.week_start >= unsettled.from_week
    {%- endif -%}
{%- endmacro %}

{# Whether a model adds to the rows that it has; asked here, so that unit tests need not say that they are fresh. #}
{% macro adds_to_its_rows() -%}
    {{ return(this is not none and is_incremental()) }}
{%- endmacro %}

{#
    What a day reads is of the same days and should lie together: read from one page a row, it takes four times as long.
    Rows that are added day by day come in order.
#}
{% macro stored_by_day() -%}
    {{ 'order by activity_date' if opens_at_the_beginning() }}
{%- endmacro %}
