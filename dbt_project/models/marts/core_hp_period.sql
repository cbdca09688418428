{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['user_id', 'passes_hash']}],
        pre_hook=[
            "{{ delete_changed('factors') }}",
            "{{ delete_where('user_id = any(array(select user_id from ' ~ this ~ ' where ' ~ has_outlived_grace() ~ '))') }}",
            "{{ only_hash_joins() }}",
        ],
        post_hook=[
            "{{ primary_key(['hp_id']) }}",
            "create index if not exists core_hp_period_open on {{ this }} (hp_end_corrected, user_id) where how_ended = 'open'",
            "{{ analyzed() }}",
        ],
    )
}}

{#- The passes of a member stay while nothing that they are made of changes, and none that was open has outlived its grace. -#}

{%- set is_added_to = keeps_rows('factors') %}

with horizon as (
    select {{ horizon() }} as as_of_date
),

inputs as (
    select * from {{ ref('int_member_pass_inputs') }}
),
{%- if is_added_to %}

members as (
    select user_id from inputs
    where user_id not in (select kept.user_id from {{ this }} as kept)
),
{%- endif %}

versions as (
    select * from {{ ref('int_hero_passes_versioned') }}
    {%- if is_added_to %}
    where user_id in (select user_id from members)
    {%- endif %}
),

failed_charges as (
    select user_id as payer_id, hp_id, paid_at, paid_on
    from {{ ref('stg_payments') }} as payments
    where status = 'failed' and {{ is_what_is_known('payments') }}
),

-- Of those whose charge has failed once: of others nothing is asked.
succeeded_charges as (
    select user_id as payer_id, hp_id, paid_at, paid_on
    from {{ ref('stg_payments') }} as payments
    where status = 'succeeded' and {{ is_what_is_known('payments') }}
        and user_id in (select payer_id from failed_charges)
),

{{ exposure_clock('horizon', passes='versions' if is_added_to) }},

{{ pass_chain() }},

{{ pass_histories() }},

passes as (
    select
        versions.*,
        known_passes.as_of_date,
        known_passes.has_coverage,
        -- A pass that was over by then was not cancelled.
        case
            when (known_passes.cancelled_on > pass_chain.hp_end_corrected) is not true then known_passes.cancelled_on
        end as known_cancelled_on,
        pass_chain.hp_end_corrected,
        pass_chain.freeze_days,
        pass_chain.previous_hp_id,
        pass_chain.previous_end_on,
        pass_chain.first_purchased_on,
        pass_chain.spent_so_far,
        pass_chain.next_hp_id,
        pass_chain.next_starts_on - pass_chain.hp_end_corrected - 1 as gap_days,
        pass_chain.spell_id,
        pass_chain.spell_number,
        pass_chain.spell_starts_on,
        pass_chain.spell_number - 1 as return_count,
        pass_chain.pass_number,
        pass_chain.renewed_on,
        pass_chain.hp_end_corrected + {{ var('grace_days') }} as grace_ends_on
    from known_passes
    inner join versions
        on known_passes.hp_id = versions.hp_id and {{ is_known('versions', 'known_passes.as_of_date') }}
    left join pass_chain on known_passes.hp_id = pass_chain.hp_id
),

-- In a family, one pays for another.
payers as (
    select user_id, user_id as payer_id from passes
    union
    select user_id, buyer_id as payer_id from passes
    where buyer_id is not null
),

-- Attempts to pay that failed: passes that were never paid, and charges.
failed_attempts as (
    select user_id, purchased_on as attempted_on, null as payer_id, null as paid_hp_id, null as attempted_at
    from passes
    where payment_status = 'failed'
    union all
    select payers.user_id, charges.paid_on, charges.payer_id, charges.hp_id, charges.paid_at
    from failed_charges as charges
    inner join payers on charges.payer_id = payers.payer_id
    left join passes as named on charges.hp_id = named.hp_id
    -- A charge that names its pass speaks of that member only.
    where charges.hp_id is null or named.user_id = payers.user_id
),

-- A charge that succeeded when it was tried again, before grace was over, has not failed.
failed_renewals as (
    select distinct passes.hp_id
    from passes
    inner join failed_attempts
        on passes.user_id = failed_attempts.user_id
        and failed_attempts.attempted_on > passes.starts_on
        and failed_attempts.attempted_on
            between passes.hp_end_corrected - {{ var('grace_days') }} and passes.grace_ends_on
    where not exists (
        select from succeeded_charges
        where succeeded_charges.payer_id = failed_attempts.payer_id
            and succeeded_charges.hp_id is not distinct from failed_attempts.paid_hp_id
            and succeeded_charges.paid_at >= failed_attempts.attempted_at
            and succeeded_charges.paid_on <= passes.grace_ends_on
    )
),

-- What is charged on the first day may be for the pass itself: it failed where no charge succeeded from then on.
failed_beginnings as (
    select distinct passes.hp_id
    from passes
    inner join failed_attempts
        on passes.user_id = failed_attempts.user_id
        and failed_attempts.attempted_on = passes.starts_on
        and passes.hp_end_corrected <= passes.starts_on + {{ var('grace_days') }}
    where failed_attempts.payer_id is not null
        and not exists (
            select from succeeded_charges
            where succeeded_charges.payer_id = failed_attempts.payer_id
                and succeeded_charges.paid_on between failed_attempts.attempted_on and passes.grace_ends_on
        )
),

final as (
    select
        passes.hp_id,
        passes.user_id,
        passes.buyer_id,
        passes.club_id,
        passes.product,
        passes.price,
        passes.currency,
        passes.discount_share,
        passes.is_trial,
        passes.freeze_days_allowed,
        passes.payment_status,
        passes.factors,
        passes.purchased_at,
        passes.purchased_on,
        passes.starts_on,
        passes.ends_on,
        passes.known_cancelled_on as cancelled_on,
        case when passes.known_cancelled_on is not null then passes.cancel_reason end as cancel_reason,
        passes.has_coverage,
        coalesce(passes.freeze_days, 0) as freeze_days,
        passes.hp_end_corrected,
        passes.previous_hp_id,
        passes.previous_end_on,
        passes.next_hp_id,
        passes.gap_days,
        passes.spell_id,
        passes.spell_number,
        passes.spell_starts_on,
        passes.return_count,
        passes.pass_number::int as pass_number,
        passes.first_purchased_on,
        passes.spent_so_far,
        passes.renewed_on,
        case
            when not passes.has_coverage and passes.payment_status = 'failed' then 'payment_failed'
            when not passes.has_coverage and passes.payment_status = 'pending' then 'open'
            when not passes.has_coverage then 'cancelled'
            -- A trial that turns into a paid pass is renewed, whatever that pass is called.
            when passes.renewed_on <= passes.grace_ends_on
                and passes.product <> next_passes.product and passes.is_trial is not true then 'moved'
            when passes.renewed_on <= passes.grace_ends_on then 'renewed'
            when passes.as_of_date < passes.grace_ends_on then 'open'
            when failed_renewals.hp_id is not null or failed_beginnings.hp_id is not null then 'payment_failed'
            else 'lapsed'
        end as how_ended,
        inputs.passes_hash,
        pass_histories.weeks_hash
    from passes
    left join inputs on passes.user_id = inputs.user_id
    left join pass_histories on passes.hp_id = pass_histories.hp_id
    left join failed_renewals on passes.hp_id = failed_renewals.hp_id
    left join failed_beginnings on passes.hp_id = failed_beginnings.hp_id
    left join passes as next_passes on passes.next_hp_id = next_passes.hp_id
)

select * from final
