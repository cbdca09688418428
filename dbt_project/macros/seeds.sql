{# Columns that a seed has gained since its table was made: dbt fills the table anew, but leaves it as wide as it is. #}
{% macro add_seed_columns() -%}
    {%- for name, type in (config.get('column_types') or {}).items() %}
    alter table if exists {{ this }} add column if not exists {{ adapter.quote(name) }} {{ type }};
    {%- endfor %}
    select 1
{%- endmacro %}
