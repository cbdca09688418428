with source as (
    select * from {{ source('ris_raw', 'hero_passes') }}
),

final as (
    select
        source_id,
        event_at,
        known_at,
        is_deleted,
        hp_id,
        user_id,
        buyer_id,
        club_id,
        product,
        price,
        upper(currency) as currency,
        discount_share,
        purchased_at,
        {{ studio_day('purchased_at') }} as purchased_on,
        starts_at,
        {{ studio_day('starts_at') }} as starts_on,
        ends_at,
        {{ last_studio_day('ends_at') }} as ends_on,
        is_trial,
        freeze_days_allowed,
        cancelled_at,
        {{ studio_day('cancelled_at') }} as cancelled_on,
        cancel_reason,
        is_cancellation,
        payment_status,
        factors
    from source
)

select * from final
