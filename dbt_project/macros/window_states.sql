{#
    What the state of a member at the end of a window is read from, as known then: changes of body readings and test
    scores by the days on which they are what is known (known_on until before next_on); the coaches' last classes and the
    season by window_end; friends and freezes by (user_id, window_end), which rows of int_exposed_weeks hold themselves.

    targets: a CTE (user_id, window_start, window_end, hp_id); unless is_weekly, the exposure clock of the window ends must
    stand before.
#}
{% macro window_states(targets, is_weekly=false) %}
-- Nobody asks for what was over before the first week: most rows, which would be looked through for each member.
body_changes as (
    select * from {{ ref('int_body_readings_known') }}
    where next_on > {{ first_window_week() }}
),

score_changes as (
    select * from {{ ref('int_scores_known') }}
    where next_on > {{ first_window_week() }}
),

windows as (
    select window_end, min(window_start) as window_start
    from {{ targets }}
    group by window_end
),

{%- if not is_weekly %}
{{ friend_and_freeze_states(targets) }},
{%- endif %}

coach_days as (
    select coach_id, activity_date, known_on, sum(change) as visits
    from {{ ref('int_booking_changes') }}
    where activity_date > (select min(window_end) from windows) - {{ var('coach_gone_days') }}
        and what = 'attended'
    group by coach_id, activity_date, known_on
),

-- A visit that was taken back was none.
coach_classes as (
    select coach_days.coach_id, windows.window_end, coach_days.activity_date
    from windows
    inner join coach_days
        on coach_days.activity_date between windows.window_end - {{ var('coach_gone_days') }} and windows.window_end
        and coach_days.known_on <= windows.window_end
    group by coach_days.coach_id, windows.window_end, coach_days.activity_date
    having sum(coach_days.visits) > 0
),

coach_weeks as (
    select coach_id, window_end, max(activity_date) as last_class_on
    from coach_classes
    group by coach_id, window_end
),

day_states as (
    select
        windows.window_end,
        attendance.attendance_index,
        (
            select count(*) from {{ source('ris_raw', 'holidays') }} as holidays
            where holidays.calendar_date between windows.window_start and windows.window_end
        ) as holiday_count
    from windows
    left join {{ ref('int_attendance_indexed') }} as attendance on windows.window_end = attendance.calendar_date
)
{%- endmacro %}

{#
    How a member's visits of a window spread over days, hours, coaches and class types, and the last of them: the CTE
    visit_spreads.
    targets: a CTE (window_start, window_end); is_weekly as in window_metrics.
#}
{% macro visit_spreads(targets, is_weekly=false) %}
recent_changes as (
    select * from {{ ref('int_booking_changes') }}
    {{ within_windows(targets) }}
        and what = 'attended'
),

windowed_changes as (
    {{ in_windows('recent_changes', is_weekly) }}
),

window_visits as (
    select
        user_id,
        window_end,
        activity_date,
        class_hour,
        coach_id,
        class_type,
        starts_at,
        sum(change)::int as visits
    from windowed_changes
    where known_on <= window_end
    group by user_id, window_end, activity_date, class_hour, coach_id, class_type, starts_at
    having sum(change) > 0
),

spread_visits as (
    select
        user_id,
        window_end,
        activity_date,
        coach_id,
        class_type,
        visits,
        row_number() over (
            partition by user_id, window_end order by activity_date desc, starts_at desc, coach_id
        ) as recency,
        sum(visits) over (partition by user_id, window_end, activity_date) as visits_that_day,
        sum(visits) over (partition by user_id, window_end, class_hour) as visits_at_that_hour,
        row_number() over (partition by user_id, window_end, coach_id) as coach_place,
        row_number() over (partition by user_id, window_end, class_type) as class_type_place
    from window_visits
),

visit_spreads as (
    select
        user_id,
        window_end,
        {{ entropy('visits', 'visits_that_day') }} as weekday_entropy,
        {{ entropy('visits', 'visits_at_that_hour') }} as hour_entropy,
        count(coach_id) filter (where coach_place = 1) as coach_count,
        count(class_type) filter (where class_type_place = 1) as class_type_count,
        max(activity_date) as last_visit_on,
        max(coach_id) filter (where recency = 1) as coach_id
    from spread_visits
    group by user_id, window_end
)
{%- endmacro %}

{#
    Entropy in nats of how counts fall into groups, of whose sizes each row has its own: 0 where all fall into
    one, ln(n) where n share them alike.
#}
{% macro entropy(counts, group_size) -%}
    round((
        {{ summable('ln(sum(' ~ counts ~ ')::float8)') }}
        - sum({{ counts }} * {{ summable('ln(' ~ group_size ~ '::float8)') }}) / sum({{ counts }})
    )::numeric, 8)::float8
{%- endmacro %}

{#
    A member's friends who are covered, and frozen days: the CTEs friend_states and freeze_states, by (user_id, window_end).
    Frozen days of the window are counted over all passes, each day once; those used so far, of the pass that it ends on.
    The exposure clock of the window ends must stand before, and the CTE windows.
#}
{% macro friend_and_freeze_states(targets) %}
covered as (
    select
        pass_clock.user_id,
        windows.window_end,
        bool_or(windows.window_end between pass_clock.starts_on and pass_clock.hp_end_corrected) as is_active,
        bool_or(windows.window_start - 1 between pass_clock.starts_on and pass_clock.hp_end_corrected) as was_active
    from pass_clock
    inner join windows on pass_clock.as_of_date = windows.window_end
    group by pass_clock.user_id, windows.window_end
),

covered_friends as (
    select
        targets.user_id,
        targets.window_end,
        count(*) filter (where covered.is_active)::int as active_friend_count,
        count(*) filter (where covered.was_active and not covered.is_active) as lost_friend_count
    from {{ targets }} as targets
    inner join {{ ref('int_friendships_versioned') }} as friendships
        on targets.user_id = friendships.user_id and {{ is_known('friendships', 'targets.window_end') }}
    inner join covered
        on friendships.friend_id = covered.user_id and targets.window_end = covered.window_end
    group by targets.user_id, targets.window_end
),

-- Of whom no friends are known, none can be counted; who has none has 0.
friend_states as (
    select
        targets.user_id,
        targets.window_end,
        coalesce(covered_friends.active_friend_count, 0) as active_friend_count,
        coalesce(covered_friends.lost_friend_count, 0) as lost_friend_count
    from {{ targets }} as targets
    inner join {{ ref('int_users_versioned') }} as users
        on targets.user_id = users.user_id and {{ is_known('users', 'targets.window_end') }}
        and users.friend_count is not null
    left join covered_friends
        on targets.user_id = covered_friends.user_id and targets.window_end = covered_friends.window_end
),

member_freezes as (
    select
        targets.user_id,
        targets.window_end,
        range_agg(daterange(
            greatest(frozen_spans.frozen_from_on, targets.window_start),
            least(frozen_spans.frozen_to_on, targets.window_end),
            '[]'
        )) filter (
            where frozen_spans.frozen_from_on <= targets.window_end
            and frozen_spans.frozen_to_on >= targets.window_start
        ) as frozen_time,
        sum(greatest(least(frozen_spans.frozen_to_on, targets.window_end) - frozen_spans.frozen_from_on + 1, 0))
            filter (where frozen_spans.hp_id = targets.hp_id) as used_freeze_days
    from {{ targets }} as targets
    inner join frozen_spans
        on targets.user_id = frozen_spans.user_id and targets.window_end = frozen_spans.as_of_date
    group by targets.user_id, targets.window_end
),

freeze_states as (
    select
        user_id,
        window_end,
        coalesce((select sum(upper(days) - lower(days)) from unnest(frozen_time) as days), 0) as frozen_days,
        used_freeze_days
    from member_freezes
)
{%- endmacro %}
