{# The primary key of a table, where it has none yet. Its columns are not null from then on. #}
{% macro primary_key(columns) -%}
    do $$ begin
        if not exists (
            select from pg_constraint where conrelid = '{{ this }}'::regclass and contype = 'p'
        ) then
            alter table {{ this }} add primary key ({{ columns | join(', ') }});
        end if;
    end $$
{%- endmacro %}
