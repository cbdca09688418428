{{ config(indexes=[{'columns': ['product']}]) }}

with versions as (
    select * from {{ ref('int_hero_passes_versioned') }}
),

purchases as (
    select distinct on (hp_id)
        club_id,
        product,
        currency,
        purchased_on,
        price / nullif(1 - coalesce(discount_share, 0), 0) as list_price
    from versions
    where product is not null and price > 0
    order by hp_id, known_from_on
),

price_days as (
    select
        club_id,
        product,
        currency,
        purchased_on as from_on,
        percentile_disc(0.5) within group (order by list_price) as list_price
    from purchases
    where list_price is not null
    group by club_id, product, currency, purchased_on
),

final as (
    select
        *,
        lead(from_on, 1, date '9999-12-31') over (
            partition by club_id, product, currency order by from_on
        ) as until_on
    from price_days
)

select * from final
