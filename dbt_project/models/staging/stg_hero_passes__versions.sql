{{ config(materialized='ephemeral') }}

with source as (
    select * from {{ source('ris_raw', 'hero_passes') }}
),

ranged as (
    {{ known_ranges('source') }}
),

final as (
    select
        hp_id,
        user_id,
        club_id,
        product,
        price,
        currency,
        discount_share,
        purchased_at,
        {{ studio_day('purchased_at') }} as purchased_on,
        starts_at,
        {{ studio_day('starts_at') }} as starts_on,
        ends_at,
        {{ last_studio_day('ends_at') }} as ends_on,
        is_trial,
        cancelled_at,
        {{ studio_day('cancelled_at') }} as cancelled_on,
        cancel_reason,
        payment_status,
        known_from_on,
        known_until_on
    from ranged
)

select * from final
