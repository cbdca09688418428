{# What dbt asks the database about its relations, and tells it of them; replaces macros of dbt-postgres. #}

{#
    information_schema, which dbt asks for columns, looks at the rights to each and takes ten times as long to answer.
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

{#
    Whether a run's rows have the columns of the table that they go into is one question; where they have, nothing more is
    asked of columns than their names, in which rows are appended.
#}
{% macro postgres__check_for_schema_changes(source_relation, target_relation) -%}
    {%- set columns_of = "select attname::text as name, atttypid, atttypmod from pg_attribute where attnum > 0"
        ~ " and not attisdropped and attrelid = to_regclass" %}
    {%- set source, target = columns_of ~ "('" ~ source_relation ~ "')", columns_of ~ "('" ~ target_relation ~ "')" %}
    {%- set answer = run_query(
        "select (select string_agg(name, '/' order by name) from (" ~ source ~ ") as source) as names,"
        ~ " exists (" ~ source ~ " except " ~ target ~ ") or exists (" ~ target ~ " except " ~ source ~ ") as are_unlike"
    ).rows[0] %}
    {%- if answer['are_unlike'] %}
        {{- return(default__check_for_schema_changes(source_relation, target_relation)) }}
    {%- endif %}
    {%- set columns = [] %}
    {%- for name in answer['names'].split('/') %}
        {%- do columns.append({'name': name}) %}
    {%- endfor %}
    {{- return({'schema_changed': false, 'source_columns': columns}) }}
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

{# Of a relation and its columns, in one question what has changed. Columns that the relation lacks are left out. #}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set comments = {} %}
    {%- if for_columns and config.persist_column_docs() %}
        {%- for name, column in model.columns.items() %}
            {%- do comments.update({name: column['description']}) %}
        {%- endfor %}
    {%- endif %}
    {%- set told = model.description if for_relation and config.persist_relation_docs() %}
    {%- set statements = comment_on(relation, told, comments) %}
    {%- if statements %}
        {%- do run_query(statements) %}
    {%- endif %}
{%- endmacro %}

{#
    Comments that say something else so far, or nothing: to set one waits for whoever vacuums the table, and makes the
    database forget what it knows of it, which is slow where columns are many.
#}
{% macro comment_on(relation, told, comments) -%}
    {%- set wanted = dict(comments, **({'': told} if told else {})) %}
    {%- set rows = run_query(
        "select wanted.name, wanted.comment from json_each_text(" ~ postgres_escape_comment(tojson(wanted))
        ~ ") as wanted (name, comment) inner join ("
        ~ "select attname::text as name, col_description(attrelid, attnum) as comment from pg_attribute"
        ~ " where attrelid = to_regclass('" ~ relation ~ "') and attnum > 0 and not attisdropped"
        ~ " union all select '', obj_description(to_regclass('" ~ relation ~ "'), 'pg_class')"
        ~ ") as known on wanted.name = known.name where wanted.comment <> coalesce(known.comment, '')"
    ) if wanted else [] %}
    {%- for row in rows %}
    comment on {{ 'column ' ~ relation ~ '.' ~ adapter.quote(row['name']) if row['name'] else relation.type ~ ' ' ~ relation -}}
    {{ ' ' }}is {{ postgres_escape_comment(row['comment']) }};
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
