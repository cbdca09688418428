{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['user_id']}, {'columns': ['known_on']}],
        pre_hook="{{ make_room_for_readers(ref('stg_body_measurements'), 'measured_at') }}",
        post_hook="{{ analyzed() }}",
    )
}}

{%- set values = ['weight_kg', 'fat_share', 'muscle_kg'] %}

with measurements as (
    select * from {{ ref('stg_body_measurements') }}
),

readings as (
    select
        user_id,
        known_on,
        known_until_on,
        measured_at as read_at,
        measurement_id as reading_id,
        weight_kg,
        fat_share,
        muscle_kg
    from measurements
    where {{ is_to_be_read() }}
),

{{ last_two('readings', values) }},

dated as (
    select
        *,
        lead(known_on, 1, date '9999-12-31') over (partition by user_id {{ in_turn() }}) as next_on
    from last_two
),

-- Of several readings of one day only the last makes what is known at its end.
final as (
    select
        user_id,
        known_on,
        next_on,
        {%- for value, change in [('weight_kg', 'weight_change_kg'), ('fat_share', 'fat_share_change'), ('muscle_kg', 'muscle_change_kg')] %}
        {{ value }}_last[3] as {{ value }},
        {{ value }}_last[3] - {{ value }}_before[3] as {{ change }}{{ ',' if not loop.last }}
        {%- endfor %}
    from dated
    where known_on < next_on
)

select * from final
