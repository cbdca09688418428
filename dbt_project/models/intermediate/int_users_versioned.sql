{{ config(indexes=[{'columns': ['user_id']}], post_hook="{{ analyzed() }}") }}

-- A person whose document is deleted keeps the last profile: the passes and visits have still been.
with versions as (
    select *, {{ is_history('users') }} as is_history
    from {{ ref('stg_users__versions') }}
    where is_deleted is not true
),

ranged as (
    {{ known_ranges('versions', 'users') }}
),

-- A clan counts from the first of the versions in a row that name it.
clan_starts as (
    select
        *,
        clan_id is distinct from lag(clan_id) over in_turn as is_clan_start,
        lag(clan_id) over in_turn is not null and clan_id is distinct from lag(clan_id) over in_turn as is_clan_end
    from ranged
    window in_turn as (partition by source_id order by known_at)
),

clan_runs as (
    select
        *,
        max(known_from_on) filter (where is_clan_start) over so_far as clan_since_on,
        max(known_from_on) filter (where is_clan_end) over so_far as clan_ended_on
    from clan_starts
    window so_far as (partition by source_id order by known_at rows between unbounded preceding and current row)
),

-- Of several versions of one day only the last is ever the one that is known.
final as (
    select * from clan_runs
    where known_from_on < known_until_on
)

select * from final
