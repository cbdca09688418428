with versions as (
    select * from {{ ref('int_hero_passes_versioned') }}
),

-- A price counts from the day on which the purchase that tells it was known.
purchases as (
    select distinct on (hp_id)
        {{ price_key('versions') }} as price_key,
        known_from_on,
        {{ list_price('versions') }} as list_price
    from versions
    where product is not null and price > 0
    order by hp_id, known_from_on
),

price_days as (
    select
        price_key,
        known_from_on as from_on,
        {{ to_four_digits('percentile_disc(0.5) within group (order by list_price)') }} as list_price
    from purchases
    where list_price is not null
    -- Days first: they are the cheaper to sort by.
    group by known_from_on, price_key
),

price_pairs as (
    select
        *,
        coalesce(
            abs(list_price / lag(list_price) over (partition by price_key order by from_on) - 1) < 0.005, true
        ) as is_as_before
    from price_days
),

-- What costs everyone something else has no list price: most of its days so far must have had the price of the day before.
listed_days as (
    select
        price_key,
        from_on,
        case
            when avg(is_as_before::int) over (partition by price_key order by from_on) > 0.5 then list_price
        end as list_price
    from price_pairs
),

price_steps as (
    select
        *,
        lag(list_price) over (partition by price_key order by from_on) as list_price_before
    from listed_days
),

final as (
    select
        price_key,
        from_on,
        lead(from_on, 1, date '9999-12-31') over (partition by price_key order by from_on) as until_on,
        list_price
    from price_steps
    where list_price is distinct from list_price_before
)

select * from final
