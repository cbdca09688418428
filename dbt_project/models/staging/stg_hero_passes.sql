with versions as (
    select * from {{ ref('stg_hero_passes__versions') }}
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
        purchased_on,
        starts_at,
        starts_on,
        ends_at,
        ends_on,
        is_trial,
        cancelled_at,
        cancelled_on,
        cancel_reason,
        payment_status
    from versions
    where {{ is_known('versions', horizon()) }}
)

select * from final
