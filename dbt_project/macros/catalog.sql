{# What dbt asks the database about its relations, and tells it of them; replaces macros of dbt-postgres. #}

{#
    dbt asks for columns some two hundred times a run, and information_schema, which looks at the rights to each, takes
    ten times as long to answer.
#}
{% macro postgres__get_columns_in_relation(relation) -%}
    {%- call statement('get_columns_in_relation', fetch_result=True) %}
        select
            attname::text as column_name,
            format_type(atttypid, null) as data_type,
            information_schema._pg_char_max_length(atttypid, atttypmod)::int as character_maximum_length,
            information_schema._pg_numeric_precision(atttypid, atttypmod)::int as numeric_precision,
            information_schema._pg_numeric_scale(atttypid, atttypmod)::int as numeric_scale
        from pg_attribute
        where attrelid = to_regclass('{{ relation }}') and attnum > 0 and not attisdropped
        order by attnum
    {%- endcall %}
    {{- return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}

{# By name at once: dbt compares each column with each, a second and more where a table has hundreds. #}
{% macro postgres__diff_column_data_types(source_columns, target_columns) -%}
    {%- set targets, changed = {}, [] %}
    {%- for column in target_columns %}
        {%- do targets.update({column.name: column}) %}
    {%- endfor %}
    {%- for column in source_columns if column.name in targets %}
        {%- set target = targets[column.name] %}
        {%- if column.expanded_data_type != target.expanded_data_type and not column.can_expand_to(other_column=target) %}
            {%- do changed.append({'column_name': column.name, 'new_type': column.expanded_data_type}) %}
        {%- endif %}
    {%- endfor %}
    {{- return(changed) }}
{%- endmacro %}

{# Where it says something else so far: to set it waits for whoever vacuums the table. #}
{% macro postgres__alter_relation_comment(relation, comment) -%}
    {%- set known = run_query("select obj_description(to_regclass('" ~ relation ~ "'), 'pg_class')") %}
    {%- if known.rows[0][0] == comment -%}
        select 1
    {%- else -%}
        comment on {{ relation.type }} {{ relation }} is {{ postgres_escape_comment(comment) }};
    {%- endif -%}
{%- endmacro %}

{% macro postgres__alter_column_comment(relation, column_dict) -%}
    {%- set comments = {} %}
    {%- for name, column in column_dict.items() %}
        {%- do comments.update({name: column['description']}) %}
    {%- endfor %}
    {{- comment_on_columns(relation, comments) }}
{%- endmacro %}

{#
    Comments on columns that say something else so far, or nothing: each makes the database forget what it knows of the
    table, which is slow where columns are many. Columns that the relation lacks are left out.
#}
{% macro comment_on_columns(relation, comments) -%}
    {%- set rows = run_query(
        "select attname::text as name, coalesce(col_description(attrelid, attnum), '') as comment from pg_attribute"
        ~ " where attrelid = to_regclass('" ~ relation ~ "') and attnum > 0 and not attisdropped"
    ) %}
    {%- for row in rows if row['name'] in comments and (comments[row['name']] or '') != row['comment'] %}
    comment on column {{ relation }}.{{ adapter.quote(row['name']) }} is {{ postgres_escape_comment(comments[row['name']]) }};
    {%- endfor %}
{%- endmacro %}

{#
    Tables keep a row of up to a page in one piece: of wider ones than 2 kB the database would lay ids and other short
    texts aside one by one, and look each up again whenever it is read.
#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- set is_checked = config.get('contract').enforced and not temporary -%}
    create {{ 'temporary ' if temporary }}table {{ relation }}
    {%- if is_checked %}
    {{ get_assert_columns_equivalent(sql) }}
    {{ get_table_columns_and_constraints() }}
    with (toast_tuple_target = 8160);
    insert into {{ relation }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
    {{ get_select_subquery(sql) }};
    {%- else %}
    with (toast_tuple_target = 8160) as (
    {{ sql }}
    );
    {%- endif %}
{%- endmacro %}
