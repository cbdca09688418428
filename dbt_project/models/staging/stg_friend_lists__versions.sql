with source as (
    select * from {{ source('ris_raw', 'users') }}
),

final as (
    select
        source_id,
        event_at,
        known_at,
        is_deleted,
        user_id,
        friend_ids
    from source
)

select * from final
