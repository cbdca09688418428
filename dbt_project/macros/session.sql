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
    {%- if not keeps_its_past() -%}
        set local default_statistics_target = 20; analyze {{ this }};
    {%- endif -%}
{%- endmacro %}

{# Delete what a run is about to insert, in the transaction of the insert. #}
{% macro delete_where(condition) -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ condition }}
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

{# Whether a run adds to a table that was there before, and leaves what lies before its window. #}
{% macro keeps_its_past() -%}
    {{ return(adds_to_its_rows() and not opens_at_the_beginning()) }}
{%- endmacro %}

{# Whether a run keeps rows of a table for what a column says of them: all of time is made anew, and a table that lacks it. #}
{% macro keeps_rows(column) -%}
    {{ return(keeps_its_past() and run_query(
        "select 1 from pg_attribute where attrelid = to_regclass('" ~ this ~ "') and attname = '" ~ column ~ "'"
    ) | length > 0) }}
{%- endmacro %}

{#
    Delete the rows that are made of something else by now, or of nothing; all rows where the newest column is not there yet.
    Keys are found apart, each once: what a delete joins is read from the table, not from an index alone.

    newest: the column that a table of an earlier version lacks.
    key, hash: whose rows they are, and what tells of what they are made of; columns of the table and of made_of.
#}
{% macro delete_changed(newest='passes_hash', key='user_id', hash='passes_hash', made_of='int_member_pass_inputs') -%}
    {{- delete_where(
        'true' if not keeps_rows(newest) else
        key ~ ' in (select distinct kept.' ~ key ~ ' from ' ~ this ~ ' as kept where not exists (select from '
        ~ ref(made_of) ~ ' as inputs where inputs.' ~ key ~ ' = kept.' ~ key
        ~ ' and inputs.' ~ hash ~ ' = kept.' ~ hash ~ '))'
    ) }}
{%- endmacro %}

{#
    Make room in int_hero_passes_versioned for the members of whom there are other documents than when their rows were
    made, or none, named in a temporary table, and for whoever has a part in a document with one of them, or had: it was
    sold to somebody else, or moved.
#}
{% macro make_room_for_passes() -%}
    {%- if not keeps_rows('documents_hash') -%}
        {{ delete_where('true') }}
    {%- else -%}
        create temporary table members_with_other_documents on commit drop as
        select documents.user_id
        from {{ ref('int_member_documents') }} as documents
        where not exists (
            select from {{ this }} as kept
            where kept.user_id = documents.user_id and kept.documents_hash = documents.documents_hash
        )
        union
        select user_id from {{ this }}
        where user_id not in (select user_id from {{ ref('int_member_documents') }});
        analyze members_with_other_documents;
        insert into members_with_other_documents
        {%- for parts in [ref('stg_hero_passes__versions'), this] %}
        select others.user_id
        from {{ parts }} as theirs
        inner join {{ parts }} as others
            on theirs.source_id = others.source_id and theirs.user_id <> others.user_id
        where theirs.user_id in (select user_id from members_with_other_documents)
        {{ 'union' if not loop.last }}
        {%- endfor %};
        delete from {{ this }} where user_id in (select user_id from members_with_other_documents)
    {%- endif -%}
{%- endmacro %}

{#
    Make room in interval_hp for what a run finds different. Of a spell, the weeks go from the first on whose hash is no
    pass's any more; and of what is left of each that has not ended for good the last, kept aside for what was known at its
    start: it may be the spell's last by now, or its days more, while those before it are over by the end of its pass, and
    the same while its hash is. What time alone does to them is said here: they mature. Each spell has a row that is an
    event or not settled, with the hash of its last pass, which is of the whole spell: members of whom something has changed
    are found by it, apart, as in delete_changed.
#}
{% macro make_room_for_intervals() -%}
    {%- set has_changed -%}
        not exists (
            select from {{ ref('core_hp_period') }} as periods
            where periods.user_id = kept.user_id and periods.weeks_hash = kept.spell_hash
        )
    {%- endset %}
    {%- if is_incremental() and not keeps_rows('is_settled') -%}
        delete from {{ this }}
    {%- elif is_incremental() -%}
        create temporary table changed_spells on commit drop as
        select kept.spell_id, min(kept.week_start) as changed_from_on
        from {{ this }} as kept
        where {{ has_changed }}
            and kept.user_id in (
                select distinct kept.user_id from {{ this }} as kept
                where (kept.event or not kept.is_settled) and {{ has_changed }}
            )
        group by kept.spell_id;
        analyze changed_spells;
        delete from {{ this }} as kept using changed_spells
        where kept.spell_id = changed_spells.spell_id and kept.week_start >= changed_spells.changed_from_on;
        create temporary table last_weeks_of_spells (spell_id text, week_start date, days_to_end_at_start integer)
            on commit drop;
        with removed as (
            delete from {{ this }} where ctid = any(array(
                select (array_agg(kept.ctid order by kept.week_start desc))[1]
                from {{ this }} as kept
                where not kept.is_settled
                group by kept.spell_id
                union
                select last_week.ctid
                from changed_spells
                cross join lateral (
                    select kept.ctid from {{ this }} as kept
                    where kept.spell_id = changed_spells.spell_id
                    order by kept.week_start desc
                    limit 1
                ) as last_week
            ))
            returning spell_id, week_start, days_to_end_at_start
        )
        insert into last_weeks_of_spells select * from removed;
        update {{ this }} set is_matured = true, is_settled = true
        where not is_settled and matures_on <= {{ horizon() }}
    {%- endif -%}
{%- endmacro %}

{# Whether a model adds to the rows that it has; asked here, so that unit tests need not say that they are fresh. #}
{% macro adds_to_its_rows() -%}
    {{ return(this is not none and is_incremental()) }}
{%- endmacro %}

{#
    What a day reads and replaces is of the same days and weeks and should lie together: a row from a page of its own takes
    four times as long to read, and is logged with the whole page when it goes. Rows that are added day by day come in order.
#}
{% macro stored_by(column) -%}
    {{ 'order by ' ~ column if opens_at_the_beginning() }}
{%- endmacro %}
