{# How views and tables that are added to come about; replaces materializations of dbt. #}

{#
    A view that says what it is to say stays: dbt makes each anew, a second of every day. What two views say is compared as
    the database has understood them.
#}
{% materialization view, adapter='postgres' -%}
    {%- set existing = load_cached_relation(this) %}
    {%- set target_relation = this.incorporate(type='view') %}

    {{- run_hooks(pre_hooks, inside_transaction=False) }}
    {{- run_hooks(pre_hooks, inside_transaction=True) }}

    {%- set stays = false %}
    {%- if existing is not none and existing.is_view and not should_full_refresh() %}
        {%- set wanted = make_temp_relation(target_relation) %}
        {%- do run_query('create temporary view ' ~ wanted ~ ' as (' ~ sql ~ ')') %}
        {%- set stays = run_query(
            "select pg_get_viewdef(to_regclass('" ~ wanted ~ "')) = pg_get_viewdef(to_regclass('" ~ existing ~ "'))"
        ).rows[0][0] %}
        {%- do run_query('drop view ' ~ wanted) %}
    {%- endif %}

    {%- if stays %}
        {%- call statement('main') %}
            select 1
        {%- endcall %}
    {%- else %}
        {{- drop_relation_if_exists(existing) }}
        {%- call statement('main') %}
            {{- get_create_view_as_sql(target_relation, sql) }}
        {%- endcall %}
    {%- endif %}

    {{- settle(target_relation, existing, is_remade=true) }}

    {{- return({'relations': [target_relation]}) }}
{%- endmaterialization %}

{#
    Rows of a window are appended as the query gives them: dbt would write them into a table of its own first, and ask for
    all columns of both once more. The query is made a view to learn its columns. All of history goes by way of the table,
    which the database fills with all its workers, and so do strategies that delete what the query may read.
#}
{% materialization incremental, adapter='postgres' -%}
    {%- set existing = load_cached_relation(this) %}
    {%- set target_relation = this.incorporate(type='table') %}
    {%- set wanted = make_temp_relation(target_relation) %}
    {%- set strategy = config.get('incremental_strategy') %}
    {%- set is_new = not is_incremental() %}
    {%- set is_direct = strategy == 'append' and keeps_its_past() %}

    {{- run_hooks(pre_hooks, inside_transaction=False) }}
    {{- run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if is_new %}
        {{- drop_relation_if_exists(existing) }}
        {%- call statement('main') %}
            {{- get_create_table_as_sql(False, target_relation, sql) }}
        {%- endcall %}
        {%- do create_indexes(target_relation) %}
    {%- else %}
        {%- if is_direct %}
            {%- do run_query('create temporary view ' ~ wanted ~ ' as (' ~ sql ~ ')') %}
        {%- else %}
            {%- do run_query(get_create_table_as_sql(True, wanted, sql)) %}
        {%- endif %}
        {%- set columns = process_schema_changes(config.get('on_schema_change'), wanted, existing) %}
        {%- set add_rows = adapter.get_incremental_strategy_macro(context, strategy) %}
        {%- call statement('main') %}
            {{- add_rows({
                'target_relation': target_relation, 'temp_relation': wanted, 'dest_columns': columns,
                'unique_key': config.get('unique_key'), 'incremental_predicates': none,
            }) }}
        {%- endcall %}
        {%- if is_direct %}
            {%- do run_query('drop view ' ~ wanted) %}
        {%- endif %}
    {%- endif %}

    {{- settle(target_relation, existing, is_remade=is_new) }}

    {{- return({'relations': [target_relation]}) }}
{%- endmaterialization %}

{# What comes after the rows or the definition of either: rights, comments, hooks, and the end of the transaction. #}
{% macro settle(relation, existing, is_remade) -%}
    {%- do apply_grants(relation, config.get('grants'), should_revoke(existing, full_refresh_mode=is_remade)) %}
    {%- do persist_docs(relation, model) %}
    {{- run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() %}
    {{- run_hooks(post_hooks, inside_transaction=False) }}
{%- endmacro %}
