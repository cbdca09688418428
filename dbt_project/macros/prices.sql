{# What a pass would have cost without its discount; null where the price is unknown. #}
{% macro list_price(pass) -%}
    ({{ pass }}.price / nullif(1 - coalesce({{ pass }}.discount_share, 0), 0))
{%- endmacro %}

{# What has one list price at a time: a product of a club in a currency. #}
{% macro price_key(pass) -%}
    concat_ws('|', {{ pass }}.product, coalesce({{ pass }}.club_id, ''), coalesce({{ pass }}.currency, ''))
{%- endmacro %}
