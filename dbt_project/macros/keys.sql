{#
    The primary key of a table, where it has none yet. Its columns are not null from then on. A run that adds to a table
    finds the key that the run before it made.
#}
{% macro primary_key(columns) -%}
    {%- if not keeps_its_past() -%}
    do $$ begin
        if not exists (
            select from pg_constraint where conrelid = '{{ this }}'::regclass and contype = 'p'
        ) then
            alter table {{ this }} add primary key ({{ columns | join(', ') }});
        end if;
    end $$
    {%- endif -%}
{%- endmacro %}
