{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['user_id']}, {'columns': ['known_on']}],
        pre_hook="{{ make_room_for_readers(ref('stg_assessments'), 'assessed_at') }}",
        post_hook="{{ analyzed() }}",
    )
}}

with assessments as (
    select * from {{ ref('stg_assessments') }}
),

readings as (
    select
        user_id,
        kind,
        known_on,
        known_until_on,
        assessed_at as read_at,
        assessment_id as reading_id,
        score
    from assessments
    where score is not null and {{ is_to_be_read() }}
),

{{ last_two('readings', ['score'], by=['user_id', 'kind']) }},

-- The kind of the last test of all says the change; what became known later of the same test says it better.
states as (
    select
        user_id,
        known_on,
        lead(known_on, 1, date '9999-12-31') over (partition by user_id {{ in_turn() }}) as next_on,
        max(
            case
                when score_last is not null
                    then array[score_last[1], score_last[2], turn, score_last[3] - score_before[3]]
            end
        ) over (partition by user_id, era_on {{ in_turn() }}) as state
    from last_two
),

final as (
    select
        user_id,
        known_on,
        next_on,
        state[4] as score_change
    from states
    where known_on < next_on
)

select * from final
