{{
    config(
        indexes=[{'columns': ['known_on']}, {'columns': ['activity_date']}],
        pre_hook="{{ only_hash_joins() }}",
        post_hook=[
            "create index if not exists int_booking_changes_visited on {{ this }} (user_id, activity_date)"
            ~ " include (known_on, starts_at, change, club_id, coach_id, class_type, class_hour) where what = 'attended'",
            "create index if not exists int_booking_changes_joint on {{ this }} (activity_date)"
            ~ " include (user_id, change) where what = 'joint_booking'",
            "{{ analyzed() }}",
        ],
    )
}}

{%- set from_instant = start_of_day(window_start()) %}

-- Each use has a range of its own.
with bookings as not materialized (
    select * from {{ ref('stg_bookings__versions') }}
),

friendships as (
    select * from {{ ref('int_friendships_versioned') }}
),

{%- if opens_at_the_beginning() %}

touched_bookings as (
    select * from bookings
),
{%- else %}

touched as (
    select distinct source_id
    from bookings
    where
        starts_at >= {{ from_instant }}
        or known_at >= {{ from_instant }}
        -- Documents may tell of it before.
        or cancelled_at >= {{ from_instant }}
),

-- Documents whose class or whose change lies in the window, and what else was booked of these classes, of those too
-- that they have left: all their versions are needed.
touched_classes as (
    select distinct starts_at
    from bookings
    where source_id = any(array(select source_id from touched)) and starts_at < {{ from_instant }}
),

touched_ids as (
    select source_id from touched
    union
    select source_id from bookings
    where starts_at = any(array(select starts_at from touched_classes))
),

touched_bookings as (
    select * from bookings
    where source_id = any(array(select source_id from touched_ids))
),
{%- endif %}

booking_versions as (
    {{ known_ranges('touched_bookings', 'bookings') }}
),

-- That it was booked is known at once; a document that is gone takes it back, until it is there again.
first_versions as (
    select distinct on (source_id) *
    from booking_versions
    order by source_id, known_at
),

made as (
    select *, booked_on as day, known_from_on as known_on, 1 as change
    from first_versions
    where is_deleted is not true
    union all
    select first_versions.*, first_versions.booked_on, turns.known_on, turns.change
    from first_versions
    inner join booking_versions as gone on first_versions.source_id = gone.source_id
    cross join lateral (
        values (gone.known_from_on, -1), (gone.known_until_on, 1)
    ) as turns (known_on, change)
    where gone.is_deleted and first_versions.is_deleted is not true and turns.known_on < date '9999-12-31'
),

-- An outcome is known from the day of the class, or of the cancellation, or of the version that says so.
outcomes as (
    select
        *,
        greatest(
            known_from_on,
            class_on,
            case when status in ('cancelled', 'late_cancelled') then cancelled_on end
        ) as known_on
    from booking_versions
    where status <> 'booked' and is_deleted is not true
),

lasting_outcomes as (
    select * from outcomes
    where known_on < known_until_on
),

-- The bookings of a class that somebody had booked too who was a friend on its day, while both are known, whatever became of
-- them; and of these the visits at which both came. A friend found later does not change what has been: a day run alone
-- would not look so far back.
bookings_with_friends as (
    select
        bookings.source_id,
        bookings.known_at,
        bookings.status = 'attended' and others.status = 'attended' as have_both_come,
        daterange(
            greatest(bookings.known_on, others.known_on), least(bookings.known_until_on, others.known_until_on)
        ) as known_days
    from lasting_outcomes as bookings
    inner join friendships
        on bookings.user_id = friendships.user_id and {{ is_known('friendships', 'bookings.class_on') }}
    inner join lasting_outcomes as others
        on friendships.friend_id = others.user_id
        and bookings.starts_at = others.starts_at
        and bookings.club_id is not distinct from others.club_id
        and bookings.class_type is not distinct from others.class_type
    where greatest(bookings.known_on, others.known_on) < least(bookings.known_until_on, others.known_until_on)
),

joint_days as (
    select source_id, known_at, 'joint_booking' as what, unnest(range_agg(known_days)) as known_days
    from bookings_with_friends
    group by source_id, known_at
    union all
    select source_id, known_at, 'joint' as what, unnest(range_agg(known_days)) as known_days
    from bookings_with_friends
    where have_both_come
    group by source_id, known_at
),

joint_bookings as (
    select
        lasting_outcomes.*,
        joint_days.what,
        lower(joint_days.known_days) as joint_known_on,
        upper(joint_days.known_days) as joint_known_until_on
    from lasting_outcomes
    inner join joint_days
        on lasting_outcomes.source_id = joint_days.source_id
        and lasting_outcomes.known_at = joint_days.known_at
),

-- A later version takes back what an earlier one said.
changes as (
    select {{ booking_change('made', "'made'", 'day', 'known_on', 'change') }}
    from made
    {%- for booking, what, known in [('lasting_outcomes', 'status', 'known'), ('joint_bookings', 'what', 'joint_known')] %}
    union all
    select {{ booking_change(booking, what, 'class_on', known ~ '_on', '1') }}
    from {{ booking }}
    union all
    select {{ booking_change(booking, what, 'class_on', known ~ '_until_on', '-1') }}
    from {{ booking }}
    where {{ known }}_until_on < date '9999-12-31'
    {%- endfor %}
),

final as (
    select * from changes
    where known_on between {{ window_start() }} and {{ window_end() }}
)

select * from final
{{ stored_by('activity_date') }}
