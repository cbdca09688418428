{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=["{{ make_room_for_intervals() }}", "{{ only_hash_joins() }}"],
        indexes=[{'columns': ['user_id', 'week_start']}],
        post_hook=[
            "{{ primary_key(['spell_id', 'week_start']) }}",
            "create index if not exists interval_hp_ends on {{ this }} (spell_id, user_id, spell_hash, week_start, event) where event or not is_settled",
            "create index if not exists interval_hp_open on {{ this }} (spell_id, week_start) where not is_settled",
        ],
    )
}}

{#- Rows stay while nothing that they are made of changes: see make_room_for_intervals. -#}

{%- set is_added_to = keeps_rows('is_settled') %}

with horizon as (
    select {{ horizon() }} as horizon_on
),
{%- if is_added_to %}

last_weeks as (
    select spell_id, week_start, days_to_end_at_start from last_weeks_of_spells
),
{%- endif %}

covering as (
    select hp_id, user_id, spell_id, spell_starts_on, weeks_hash, starts_on, hp_end_corrected, renewed_on
    from {{ ref('core_hp_period') }}
    where has_coverage
    {%- if is_added_to %}
        and spell_id not in (select ended.spell_id from {{ this }} as ended where ended.event)
    {%- endif %}
),

-- What is left of a spell without an event are the weeks before its last: that and those after it are missing.
spells as (
    select
        spell_id,
        user_id,
        spell_starts_on,
        max(hp_end_corrected) as spell_ends_on,
        (array_agg(weeks_hash order by hp_end_corrected desc))[1] as spell_hash,
        {%- if is_added_to %}
        coalesce(max(last_weeks.week_start), spell_starts_on) as missing_from_on
        {%- else %}
        spell_starts_on as missing_from_on
        {%- endif %}
    from covering
    {%- if is_added_to %}
    left join last_weeks using (spell_id)
    {%- endif %}
    group by spell_id, user_id, spell_starts_on
),

passes as (
    select covering.*, spells.missing_from_on
    from covering
    inner join spells on covering.spell_id = spells.spell_id
    where covering.hp_end_corrected >= spells.missing_from_on
),

frozen_time as (
    select hp_id, range_agg(daterange(frozen_from_on, frozen_to_on, '[]')) as frozen_days
    from {{ ref('int_pass_freezes_counted') }}
    group by hp_id
),

-- At risk is who is covered and not frozen; days after the horizon have not been seen.
pass_spans as (
    select
        passes.spell_id,
        passes.user_id,
        unnest(
            datemultirange(
                daterange(
                    greatest(passes.starts_on, passes.missing_from_on),
                    least(passes.hp_end_corrected, horizon.horizon_on),
                    '[]'
                )
            ) - coalesce(frozen_time.frozen_days, '{}'::datemultirange)
        ) as at_risk_days
    from passes
    cross join horizon
    left join frozen_time on passes.hp_id = frozen_time.hp_id
    where greatest(passes.starts_on, passes.missing_from_on) <= least(passes.hp_end_corrected, horizon.horizon_on)
),

spell_spans as (
    select spell_id, user_id, unnest(range_agg(at_risk_days)) as at_risk_days
    from pass_spans
    group by spell_id, user_id
),

span_weeks as (
    select
        spell_spans.spell_id,
        spell_spans.user_id,
        week::date as week_start,
        greatest(lower(spell_spans.at_risk_days), week::date) as first_on,
        least(upper(spell_spans.at_risk_days), week::date + 7) - 1 as last_on
    from spell_spans
    cross join generate_series(
        {{ week_of('lower(spell_spans.at_risk_days)') }},
        upper(spell_spans.at_risk_days) - 1,
        interval '7 days'
    ) as week
),

spell_weeks as (
    select
        spell_id,
        user_id,
        week_start,
        min(first_on) as first_on,
        max(last_on) as last_on,
        sum(last_on - first_on + 1)::float8 / 7 as exposure,
        week_start = max(week_start) over (partition by spell_id) as is_last_week
    from span_weeks
    group by spell_id, user_id, week_start
),

-- The pass of a week is the one that covers its last day at risk, the latest to end where several do.
week_passes as (
    select distinct on (weeks.spell_id, weeks.week_start)
        weeks.spell_id,
        weeks.week_start,
        passes.hp_id,
        passes.renewed_on,
        passes.weeks_hash
    from spell_weeks as weeks
    inner join passes
        on weeks.spell_id = passes.spell_id
        and weeks.last_on between passes.starts_on and passes.hp_end_corrected
    order by weeks.spell_id, weeks.week_start, passes.hp_end_corrected desc, passes.starts_on desc, passes.hp_id
),

{#- What was known at the start of a week stays as it is while the week goes on. #}
new_weeks as (
    select weeks.*
    from spell_weeks as weeks
    {%- if is_added_to %}
    where not exists (
        select from last_weeks
        where last_weeks.spell_id = weeks.spell_id and last_weeks.week_start = weeks.week_start
    )
    {%- endif %}
),

versions as materialized (
    select *
    from {{ ref('int_hero_passes_versioned') }}
    where user_id in (select user_id from new_weeks)
),

-- A week is looked at on its eve, or on its first day at risk where nothing was known then to cover the eve.
look_passes as (
    select weeks.spell_id, weeks.week_start, weeks.week_start - 1 as as_of_date, versions.hp_id
    from new_weeks as weeks
    inner join versions
        on weeks.user_id = versions.user_id
        and {{ is_known('versions', 'weeks.week_start - 1') }}
        and weeks.week_start - 1 between versions.starts_on and versions.covers_at_most_until_on
    union all
    select weeks.spell_id, weeks.week_start, weeks.first_on as as_of_date, versions.hp_id
    from new_weeks as weeks
    inner join versions
        on weeks.user_id = versions.user_id
        and weeks.week_start = {{ week_of('greatest(versions.starts_on, versions.known_from_on)') }}
        and {{ is_known('versions', 'weeks.first_on') }}
        and weeks.first_on between versions.starts_on and versions.covers_at_most_until_on
),

known_days as (
    select distinct as_of_date, hp_id
    from look_passes
),

{{ exposure_clock('known_days', on_pass=true, passes='versions') }},

-- Of several passes the one that is last to end, as known then.
days_to_end as (
    select distinct on (look_passes.spell_id, look_passes.week_start)
        look_passes.spell_id,
        look_passes.week_start,
        pass_clock.hp_end_corrected - look_passes.as_of_date as days_to_end_at_start
    from look_passes
    inner join pass_clock
        on look_passes.as_of_date = pass_clock.as_of_date and look_passes.hp_id = pass_clock.hp_id
    where pass_clock.hp_end_corrected >= look_passes.as_of_date
    order by
        look_passes.spell_id,
        look_passes.week_start,
        look_passes.as_of_date,
        pass_clock.hp_end_corrected desc
),

-- Of a pass that was entered after the first day at risk, what it said at first.
late_passes as (
    select distinct on (weeks.spell_id, weeks.week_start)
        weeks.spell_id,
        weeks.week_start,
        greatest(versions.ends_on - weeks.first_on, 0) as days_to_end_at_start
    from new_weeks as weeks
    inner join passes
        on weeks.spell_id = passes.spell_id
        and weeks.first_on between passes.starts_on and passes.hp_end_corrected
    inner join versions on passes.hp_id = versions.hp_id and passes.user_id = versions.user_id
    where not exists (
        select from days_to_end
        where days_to_end.spell_id = weeks.spell_id and days_to_end.week_start = weeks.week_start
    )
    order by
        weeks.spell_id,
        weeks.week_start,
        passes.hp_end_corrected desc,
        passes.starts_on desc,
        passes.hp_id,
        versions.known_from_on
),

starts as (
    select spell_id, week_start, days_to_end_at_start from days_to_end
    union all
    select spell_id, week_start, days_to_end_at_start from late_passes
    {%- if is_added_to %}
    union all
    select spell_id, week_start, days_to_end_at_start from last_weeks
    {%- endif %}
),

outcomes as (
    select
        weeks.*,
        spells.spell_starts_on,
        week_passes.hp_id,
        week_passes.renewed_on,
        -- How a spell ends is for its last pass to say, which may end frozen.
        case when weeks.is_last_week then spells.spell_hash else week_passes.weeks_hash end as spell_hash,
        case
            when not weeks.is_last_week or spells.spell_ends_on > horizon.horizon_on then false
            when spells.spell_ends_on + {{ var('grace_days') }} <= horizon.horizon_on then true
        end as event,
        -- A spell may end frozen, long after its last week at risk.
        case when weeks.is_last_week then greatest(weeks.last_on, spells.spell_ends_on) else weeks.last_on end
        + {{ var('grace_days') }} as matures_on
    from spell_weeks as weeks
    cross join horizon
    inner join spells on weeks.spell_id = spells.spell_id
    inner join week_passes
        on weeks.spell_id = week_passes.spell_id and weeks.week_start = week_passes.week_start
),

-- A pass that is renewed tells at once, unless all that follows is frozen: then nobody knows yet whether its week was the last.
matured as (
    select
        outcomes.*,
        outcomes.matures_on <= horizon.horizon_on
        or (outcomes.renewed_on is not null and outcomes.event is not null) as is_matured
    from outcomes
    cross join horizon
),

final as (
    select
        matured.spell_id,
        matured.week_start,
        matured.user_id,
        matured.hp_id,
        (matured.week_start - {{ week_of('matured.spell_starts_on') }}) / 7 as week_number,
        (matured.first_on - matured.spell_starts_on)::float8 as start_day,
        (matured.last_on - matured.spell_starts_on + 1)::float8 as stop_day,
        matured.exposure,
        matured.event,
        starts.days_to_end_at_start,
        matured.is_matured,
        matured.matures_on,
        matured.spell_hash,
        -- The week in which a spell ends is known when its grace is over.
        matured.is_matured and (matured.event or not matured.is_last_week) is true as is_settled
    from matured
    left join starts on matured.spell_id = starts.spell_id and matured.week_start = starts.week_start
)

select * from final
{{ stored_by('week_start') }}
