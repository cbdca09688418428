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

{# Older days keep their Sundays; the days of this run stay as they are. #}
{% macro prune_snapshots() -%}
    delete from {{ this }}
    where extract(isodow from as_of_date) <> 7
        and as_of_date not between {{ window_start() }} and {{ window_end() }}
        and as_of_date <= (select max(as_of_date) from {{ this }}) - {{ var('snapshot_keep_days') }}
{%- endmacro %}
