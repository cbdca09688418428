{# A folder's schema is used as it stands: ris, ris_int, ris_stg. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
