with versions as (
    select * from {{ ref('stg_freezes__versions') }}
),

final as (
    select
        freeze_id,
        hp_id,
        requested_at,
        requested_on,
        starts_at,
        starts_on,
        ends_at,
        ends_on,
        cancelled_at,
        called_off_on,
        called_off_end_on
    from versions
    where {{ is_known('versions', horizon()) }}
)

select * from final
