{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['hp_id']}, {'columns': ['covers_at_most_until_on']}],
        pre_hook="{{ make_room_for_passes() }}",
        post_hook="{{ analyzed() }}",
    )
}}

{#- The versions of a member stay while there are no other documents: see make_room_for_passes. -#}

{%- set is_added_to = keeps_rows('documents_hash') %}

with documents as (
    select * from {{ ref('int_member_documents') }}
    {%- if is_added_to %}
    where user_id in (select user_id from members_with_other_documents)
    {%- endif %}
),

-- All versions of a document, be some of them another member's. Of few documents: an array has them looked up by key.
versions as (
    select * from {{ ref('stg_hero_passes__versions') }}
    {%- if is_added_to %}
    where source_id = any(array(
        select theirs.source_id from {{ ref('stg_hero_passes__versions') }} as theirs
        where theirs.user_id in (select user_id from members_with_other_documents)
    ))
    {%- endif %}
),

ranged as (
    {{ known_ranges('versions', 'hero_passes') }}
),

{{ longest_freezes(ref('int_freezes_versioned'), 'versions') }},

cancelled_parts as (
    select * from {{ ref('int_passes_taken_back') }}
),

-- Of several versions of one day only the last is ever the one that is known. A tombstone ends the one before.
final as (
    select
        ranged.source_id,
        ranged.event_at,
        ranged.known_at,
        ranged.is_deleted,
        ranged.hp_id,
        ranged.user_id,
        ranged.buyer_id,
        ranged.club_id,
        ranged.product,
        ranged.price,
        ranged.currency,
        ranged.discount_share,
        ranged.purchased_at,
        ranged.purchased_on,
        ranged.starts_at,
        ranged.starts_on,
        ranged.ends_at,
        ranged.ends_on,
        ranged.is_trial,
        ranged.freeze_days_allowed,
        least(ranged.cancelled_at, parts.cancelled_at) as cancelled_at,
        least(ranged.cancelled_on, parts.cancelled_on) as cancelled_on,
        coalesce(ranged.cancel_reason, parts.cancel_reason) as cancel_reason,
        ranged.payment_status,
        ranged.factors,
        coalesce(parts.from_on, ranged.known_from_on) as known_from_on,
        coalesce(parts.until_on, ranged.known_until_on) as known_until_on,
        {{ covers_at_most_until_on('ranged') }} as covers_at_most_until_on,
        documents.documents_hash
    from ranged
    inner join documents on ranged.user_id = documents.user_id
    left join longest_freezes on ranged.hp_id = longest_freezes.hp_id
    left join cancelled_parts as parts
        on ranged.source_id = parts.source_id and ranged.known_from_on = parts.version_from_on
    where ranged.known_from_on < ranged.known_until_on
        and ranged.is_deleted is not true
        and ranged.is_cancellation is not true
)

select * from final
