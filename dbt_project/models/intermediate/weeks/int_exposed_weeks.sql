{%- set first_of_all = '(select ' ~ week_of('min(starts_on)') ~ ' from ' ~ ref('int_hero_passes_versioned') ~ ')' %}

with weeks as (
    select week::date as week_start
    from generate_series(
        {{ first_of_all if opens_at_the_beginning() else first_window_week() }}, {{ window_end() }}, interval '7 days'
    ) as week
    {{ limit_to_window_weeks() }}
),

-- A week is seen as it was known at its own end, so that later knowledge leaves it as it is.
as_of_dates as (
    select week_start, least(week_start + 6, {{ horizon() }}) as as_of_date, week_start - 1 as open_since
    from weeks
),

{{ exposure_clock('as_of_dates', still_open=true) }},

-- The pass that the week ends on: the latest to end of those that cover a day of it.
targets as (
    select distinct on (pass_clock.user_id, as_of_dates.week_start)
        pass_clock.user_id,
        as_of_dates.week_start,
        as_of_dates.week_start as window_start,
        as_of_dates.as_of_date as window_end,
        pass_clock.hp_id
    from as_of_dates
    inner join pass_clock on as_of_dates.as_of_date = pass_clock.as_of_date
    where pass_clock.starts_on <= as_of_dates.as_of_date
        and pass_clock.hp_end_corrected >= as_of_dates.week_start
    order by
        pass_clock.user_id,
        as_of_dates.week_start,
        pass_clock.hp_end_corrected desc,
        pass_clock.starts_on desc,
        pass_clock.hp_id
),

windows as (
    select week_start as window_start, as_of_date as window_end
    from as_of_dates
),

{{ friend_and_freeze_states('targets') }},

final as (
    select
        targets.user_id,
        targets.week_start,
        targets.window_end,
        targets.hp_id,
        friend_states.active_friend_count,
        friend_states.lost_friend_count,
        freeze_states.frozen_days,
        freeze_states.used_freeze_days
    from targets
    left join friend_states
        on targets.user_id = friend_states.user_id and targets.window_end = friend_states.window_end
    left join freeze_states
        on targets.user_id = freeze_states.user_id and targets.window_end = freeze_states.window_end
)

select * from final
{{ stored_by('week_start') }}
