{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['hp_id']}],
        pre_hook="{{ delete_changed('document_hash', 'source_id', 'document_hash', 'int_freeze_documents') }}",
        post_hook="{{ analyzed() }}",
    )
}}

{#- The versions of a freeze stay while its document is the same. -#}

with documents as (
    select * from {{ ref('int_freeze_documents') }}
    {%- if keeps_rows('document_hash') %}
    where source_id not in (select kept.source_id from {{ this }} as kept)
    {%- endif %}
),

versions as (
    select
        versions.*,
        documents.document_hash
    from {{ ref('stg_freezes__versions') }} as versions
    inner join documents on versions.source_id = documents.source_id
),

ranged as (
    {{ known_ranges('versions', 'freezes') }}
),

{{ freeze_periods() }},

-- Of several versions of one day only the last is ever the one that is known. A tombstone ends the one before. A freeze
-- stands at every period that it may touch: which of them it stops is for the exposure clock to say.
final as (
    select
        ranged.source_id,
        ranged.event_at,
        ranged.known_at,
        ranged.is_deleted,
        ranged.freeze_id,
        coalesce(periods.hp_id, ranged.hp_id) as hp_id,
        ranged.requested_at,
        ranged.requested_on,
        ranged.starts_at,
        ranged.starts_on,
        ranged.ends_at,
        ranged.ends_on,
        ranged.cancelled_at,
        ranged.called_off_on,
        ranged.called_off_end_on,
        ranged.known_from_on,
        ranged.known_until_on,
        ranged.document_hash
    from ranged
    left join periods
        on ranged.hp_id = periods.document_hp_id
        and (ranged.ends_on < periods.starts_on) is not true
        and (periods.covers_at_most_until_on < ranged.starts_on) is not true
    where ranged.known_from_on < ranged.known_until_on and ranged.is_deleted is not true
)

select * from final
