{{ config(indexes=[{'columns': ['user_id']}], post_hook="{{ analyzed() }}") }}

{#- Whole rows of tables are hashed, so that a column added later counts, and of each date whether it has come. -#}

with horizon as (
    select {{ horizon() }} as horizon_on
),

-- An open freeze lasts until the horizon.
freeze_versions as (
    select
        freezes.hp_id,
        sum(hash_record_extended(
            row(
                freezes,
                freezes.known_from_on <= horizon.horizon_on,
                freezes.known_until_on <= horizon.horizon_on,
                freezes.called_off_on <= horizon.horizon_on,
                case
                    when freezes.ends_on is null and {{ is_known('freezes', 'horizon.horizon_on') }} then horizon.horizon_on
                end
            ),
            1
        )) as freeze_hash
    from {{ ref('int_freezes_versioned') }} as freezes
    cross join horizon
    group by freezes.hp_id
),

pass_versions as (
    select
        versions.user_id,
        sum(hash_record_extended(
            row(
                versions,
                versions.known_from_on <= horizon.horizon_on,
                versions.known_until_on <= horizon.horizon_on,
                versions.cancelled_on <= horizon.horizon_on,
                freeze_versions.freeze_hash
            ),
            2
        )) as pass_hash
    from {{ ref('int_hero_passes_versioned') }} as versions
    cross join horizon
    left join freeze_versions on versions.hp_id = freeze_versions.hp_id
    group by versions.user_id
),

-- Of whose charge has never failed nothing is asked.
payers_with_failures as (
    select distinct user_id
    from {{ ref('stg_payments') }}
    where status = 'failed'
),

charges as (
    select
        user_id as payer_id,
        sum(hash_record_extended(row(hp_id, paid_at, status), 3)) as charge_hash
    from {{ ref('stg_payments') }}
    where status in ('failed', 'succeeded') and user_id in (select user_id from payers_with_failures)
    group by user_id
),

-- In a family, one pays for another.
payers as (
    select user_id, user_id as payer_id from {{ ref('int_hero_passes_versioned') }}
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
        pass_versions.user_id,
        hash_record_extended(row(pass_versions.pass_hash, member_charges.charge_hash, {{ var('grace_days') }}), 4)::text
            as passes_hash
    from pass_versions
    left join member_charges on pass_versions.user_id = member_charges.user_id
)

select * from final
