{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=["{{ only_hash_joins() }}", "{{ delete_unsettled_intervals() }}"],
        indexes=[{'columns': ['user_id', 'week_start']}],
        post_hook="{{ primary_key(['spell_id', 'week_start']) }}",
    )
}}

{#- Rows stay while nothing that they are made of changes: see delete_unsettled_intervals. -#}

with spell_inputs as (
    select * from {{ ref('int_spell_inputs') }}
    {%- if adds_to_its_rows() %}
    where spell_id not in (select spell_id from {{ this }} where event)
    {%- endif %}
),

passes as (
    select periods.*
    from {{ ref('core_hp_period') }} as periods
    inner join spell_inputs on periods.spell_id = spell_inputs.spell_id
    where periods.has_coverage
),

freezes as (
    select * from {{ ref('int_pass_freezes_counted') }}
),

horizon as (
    select {{ horizon() }} as horizon_on
),

frozen_time as (
    select hp_id, range_agg(daterange(frozen_from_on, frozen_to_on, '[]')) as frozen_days
    from freezes
    group by hp_id
),

-- At risk is who is covered and not frozen; days after the horizon have not been seen.
pass_spans as (
    select
        passes.spell_id,
        passes.user_id,
        unnest(
            datemultirange(
                daterange(passes.starts_on, least(passes.hp_end_corrected, horizon.horizon_on), '[]')
            ) - coalesce(frozen_time.frozen_days, '{}'::datemultirange)
        ) as at_risk_days
    from passes
    cross join horizon
    left join frozen_time on passes.hp_id = frozen_time.hp_id
    where passes.starts_on <= least(passes.hp_end_corrected, horizon.horizon_on)
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

all_spell_weeks as (
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

spell_weeks as (
    select * from all_spell_weeks
    {%- if adds_to_its_rows() %}
    where not exists (
        select from {{ this }} as kept
        where kept.spell_id = all_spell_weeks.spell_id and kept.week_start = all_spell_weeks.week_start
    )
    {%- endif %}
),

spells as (
    select spell_id, spell_starts_on, max(hp_end_corrected) as spell_ends_on
    from passes
    group by spell_id, spell_starts_on
),

-- The pass of a week is the one that covers its last day at risk, the latest to end where several do.
week_passes as (
    select distinct on (weeks.spell_id, weeks.week_start)
        weeks.spell_id,
        weeks.week_start,
        passes.hp_id,
        passes.renewed_on
    from spell_weeks as weeks
    inner join passes
        on weeks.spell_id = passes.spell_id
        and weeks.last_on between passes.starts_on and passes.hp_end_corrected
    order by weeks.spell_id, weeks.week_start, passes.hp_end_corrected desc, passes.starts_on desc, passes.hp_id
),

-- The eve of a week is the day before it, or its first day at risk where nothing covered the day before.
week_eves as (
    select distinct on (weeks.spell_id, weeks.week_start)
        weeks.spell_id,
        weeks.week_start,
        case when passes.starts_on < weeks.week_start then weeks.week_start - 1 else weeks.first_on end
            as as_of_date,
        passes.hp_id,
        passes.ends_on
    from spell_weeks as weeks
    inner join passes
        on weeks.spell_id = passes.spell_id
        and (
            weeks.week_start - 1 between passes.starts_on and passes.hp_end_corrected
            or weeks.first_on between passes.starts_on and passes.hp_end_corrected
        )
    order by
        weeks.spell_id,
        weeks.week_start,
        weeks.week_start - 1 between passes.starts_on and passes.hp_end_corrected desc,
        passes.hp_end_corrected desc,
        passes.starts_on desc,
        passes.hp_id
),

eve_passes as (
    select distinct as_of_date, hp_id
    from week_eves
),

{{ exposure_clock('eve_passes', on_pass=true) }},

final as (
    select
        weeks.spell_id,
        weeks.week_start,
        weeks.user_id,
        week_passes.hp_id,
        (weeks.week_start - {{ week_of('spells.spell_starts_on') }}) / 7 as week_number,
        (weeks.first_on - spells.spell_starts_on)::float8 as start_day,
        (weeks.last_on - spells.spell_starts_on + 1)::float8 as stop_day,
        weeks.exposure,
        case
            when not weeks.is_last_week or spells.spell_ends_on > horizon.horizon_on then false
            when spells.spell_ends_on + {{ var('grace_days') }} <= horizon.horizon_on then true
        end as event,
        greatest(
            coalesce(pass_clock.hp_end_corrected, week_eves.ends_on) - week_eves.as_of_date, 0
        ) as days_to_end_at_start,
        weeks.last_on + {{ var('grace_days') }} <= horizon.horizon_on
        or week_passes.renewed_on is not null as is_matured,
        weeks.last_on + {{ var('grace_days') }} as matures_on,
        spell_inputs.spell_hash
    from spell_weeks as weeks
    cross join horizon
    inner join spells on weeks.spell_id = spells.spell_id
    inner join spell_inputs on weeks.spell_id = spell_inputs.spell_id
    inner join week_passes
        on weeks.spell_id = week_passes.spell_id and weeks.week_start = week_passes.week_start
    inner join week_eves
        on weeks.spell_id = week_eves.spell_id and weeks.week_start = week_eves.week_start
    left join pass_clock
        on week_eves.as_of_date = pass_clock.as_of_date and week_eves.hp_id = pass_clock.hp_id
)

select * from final
