{# What a pass would have cost without its discount; null where the price is unknown. #}
{% macro list_price(pass) -%}
    ({{ pass }}.price / nullif(greatest(1 - coalesce({{ pass }}.discount_share, 0), 0), 0))
{%- endmacro %}

{#
    To four digits, in any currency: what a discount was rounded to makes no other list price. How large a price is needs
    no exact logarithm, which takes ten times as long as all else.
#}
{% macro to_four_digits(price) -%}
    round({{ price }}::numeric, 3 - floor(log({{ price }}::float8))::int)::float8
{%- endmacro %}

{# How far a list price lies from that of a purchase, a share; within half a percent it is the rounding of discounts. #}
{% macro price_change(listed, pass) -%}
    {%- set change = 'round((' ~ listed ~ ' / ' ~ list_price(pass) ~ ' - 1)::numeric, 9)' -%}
    case when abs({{ change }}) < 0.005 then 0 else {{ change }} end
{%- endmacro %}

{# What has one list price at a time: a product of a club in a currency. #}
{% macro price_key(pass) -%}
    concat_ws('|', {{ pass }}.product, coalesce({{ pass }}.club_id, ''), coalesce({{ pass }}.currency, ''))
{%- endmacro %}
