{{ config(indexes=[{'columns': ['user_id']}], post_hook="{{ analyzed() }}") }}

{#- Of documents that are the same, dates come one after the other: how many have says which. -#}

with horizon as (
    select {{ horizon() }} as horizon_on
),

-- An open freeze lasts until the horizon.
freezes as (
    select
        freezes.hp_id,
        sum(
            (freezes.known_from_on <= horizon.horizon_on)::int
            + (freezes.known_until_on <= horizon.horizon_on)::int
            + (freezes.called_off_on is not null and freezes.called_off_on <= horizon.horizon_on)::int
        ) as dates_come,
        max(horizon.horizon_on) filter (
            where freezes.ends_on is null and {{ is_known('freezes', 'horizon.horizon_on') }}
        ) as open_until_on
    from {{ ref('int_freezes_versioned') }} as freezes
    cross join horizon
    group by freezes.hp_id
),

passes as (
    select
        versions.user_id,
        min(versions.documents_hash) as documents_hash,
        sum(
            (versions.known_from_on <= horizon.horizon_on)::int
            + (versions.known_until_on <= horizon.horizon_on)::int
            + (versions.cancelled_on is not null and versions.cancelled_on <= horizon.horizon_on)::int
        ) as dates_come,
        -- The next version of a document may be another member's.
        sum(versions.known_until_on - versions.known_from_on) as days_known,
        sum(freezes.dates_come) as freeze_dates_come,
        max(freezes.open_until_on) as open_until_on
    from {{ ref('int_hero_passes_versioned') }} as versions
    cross join horizon
    left join freezes on versions.hp_id = freezes.hp_id
    group by versions.user_id
),

-- Of whose charge has never failed nothing is asked.
charges as (
    select
        user_id as payer_id,
        sum(hash_record_extended(row(hp_id, paid_at, status), 1)) as charge_hash
    from {{ ref('stg_payments') }} as payments
    where status in ('failed', 'succeeded') and {{ is_what_is_known('payments') }}
    group by user_id
    having bool_or(status = 'failed')
),

-- In a family, one pays for another.
payers as (
    select user_id, user_id as payer_id from passes
    union
    select user_id, buyer_id from {{ ref('int_hero_passes_versioned') }}
    where buyer_id is not null
),

member_charges as (
    select payers.user_id, sum(charges.charge_hash) as charge_hash
    from payers
    inner join charges on payers.payer_id = charges.payer_id
    group by payers.user_id
),

final as (
    select
        passes.user_id,
        hash_record_extended(
            row(
                passes.documents_hash,
                passes.dates_come,
                passes.days_known,
                passes.freeze_dates_come,
                passes.open_until_on,
                member_charges.charge_hash,
                {{ var('grace_days') }}
            ),
            3
        )::text as passes_hash
    from passes
    left join member_charges on passes.user_id = member_charges.user_id
)

select * from final
