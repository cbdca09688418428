with source as (
    select * from {{ source('ris_raw', 'payments') }}
),

final as (
    select
        payment_id,
        user_id,
        hp_id,
        paid_at,
        {{ studio_day('paid_at') }} as paid_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        amount,
        currency,
        status,
        method
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
