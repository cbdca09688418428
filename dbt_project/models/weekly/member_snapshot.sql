{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['hp_id']}],
        pre_hook=["{{ only_hash_joins() }}", "{{ delete_where('as_of_date between ' ~ window_start() ~ ' and ' ~ window_end()) }}"],
        post_hook=[
            "{{ primary_key(['as_of_date', 'user_id']) }}",
            "{{ prune_snapshots() }}",
            "{{ describe_metrics([('', ' (trailing seven days)')] + norm_suffixes() + [('_delta', ': minus its weighted mean')]) }}",
        ],
    )
}}

-- depends_on: {{ ref('meta_feature_catalog') }}

{#- The snapshot of a day says that the day is done, and what goes by the window of a run is not looked at again: it waits
    for that. Said where dbt reads the project, so that unit tests need no rows of what is not read. #}
{%- if not execute %}
    {%- do [ref('fact_user_day'), ref('int_visit_preferences')] %}
{%- endif %}

{%- set all_metrics, of_week = active_metrics(), active_metrics(derived=false) %}
{%- set has_acts = all_metrics | selectattr('feature', 'equalto', 'social_actions') | list %}
{%- set usual_acts = 'coalesce(norms.social_actions_ewma, metrics.social_actions)' if has_acts else 'null::float8' %}

-- Of passes that can cover a day of the window.
with versions as (
    select * from {{ ref('int_hero_passes_versioned') }}
    where covers_at_most_until_on >= {{ window_start() }}
),

-- A day inside a week is held against the norm of the week that its trailing seven days begin in.
norms as (
    select * from {{ source('ris_norms', 'user_week_norm') }}
    where {{ in_window_weeks(days_before=6) }}
),

{{ snapshot_days() }},

-- What is known of passes at the horizon stands in core_hp_period; of days before it, the clock is asked.
earlier_days as (
    select as_of_date
    from as_of_dates
    where as_of_date <> {{ horizon() }}
),

{{ growing_chains('earlier_days') }},

{{ exposure_clock('earlier_days', members='growing_chains') }},

{{ pass_chain() }},

{%- set chained = ['user_id', 'hp_id', 'starts_on', 'hp_end_corrected', 'purchased_on', 'previous_end_on', 'pass_number', 'spell_id', 'spell_number', 'spell_starts_on', 'first_purchased_on', 'spent_so_far'] %}

earlier_passes as (
    select
        pass_chain.*,
        greatest(pass_chain.starts_on, pass_chain.known_from_on, growing_chains.first_on) as covers_from_on,
        least(pass_chain.hp_end_corrected, pass_chain.as_of_date) as covers_until_on
    from pass_chain
    inner join growing_chains
        on pass_chain.user_id = growing_chains.user_id and pass_chain.as_of_date = growing_chains.as_of_date
),

covered_days as (
    select
        covers_from_on + generate_series(0, covers_until_on - covers_from_on) as covered_on,
        as_of_date as chained_on,
        renewal_known_on,
        pass_days,
        {{ chained | join(', ') }}
    from earlier_passes
),

chained_passes as (
    select
        earlier_days.as_of_date,
        covered_days.chained_on,
        coalesce(covered_days.renewal_known_on <= earlier_days.as_of_date, false) as is_already_renewed,
        covered_days.pass_days,
        {{ chained | join(', ') }}
    from covered_days
    inner join earlier_days on covered_days.covered_on = earlier_days.as_of_date
    union all
    select
        {{ horizon() }},
        {{ horizon() }},
        next_hp_id is not null,
        ends_on - starts_on + 1,
        {{ chained | join(', ') }}
    from {{ ref('core_hp_period') }}
    where {{ horizon() }} between starts_on and hp_end_corrected
        and {{ horizon() }} in (select as_of_date from as_of_dates)
),

{{ active_passes('chained_passes') }},

frozen_days as (
    select as_of_date as chained_on, hp_id, frozen_from_on, frozen_to_on
    from frozen_spans
    union all
    select {{ horizon() }}, hp_id, frozen_from_on, frozen_to_on
    from {{ ref('int_pass_freezes_counted') }}
),

-- The seven days up to a Sunday are a calendar week.
exposed_weeks as (
    select user_id, week_start, active_friend_count
    from {{ ref('int_exposed_weeks') }}
    where {{ in_window_weeks() }}
),

week_metrics as (
    select * from {{ ref('user_week_metrics') }}
    where {{ in_window_weeks() }}
),

metrics as (
    select
        week_metrics.user_id,
        week_metrics.week_start + 6 as window_end,
        exposed_weeks.active_friend_count
        {%- for metric in of_week %},
        week_metrics.{{ metric.feature }}
        {%- endfor %}
    from week_metrics
    inner join exposed_weeks
        on week_metrics.user_id = exposed_weeks.user_id and week_metrics.week_start = exposed_weeks.week_start
    union all
    select
        user_id,
        window_end,
        active_friend_count
        {%- for metric in of_week %},
        {{ metric.feature }}
        {%- endfor %}
    from {{ ref('int_day_metrics') }}
),

{{ latest_extractions() }},

{{ profiles('active_passes') }},

freeze_use as (
    select
        active.as_of_date,
        active.hp_id,
        sum(least(frozen_days.frozen_to_on, active.as_of_date) - frozen_days.frozen_from_on + 1)::int as freeze_days_used,
        bool_or(active.as_of_date between frozen_days.frozen_from_on and frozen_days.frozen_to_on) as is_frozen
    from active_passes as active
    inner join frozen_days
        on active.hp_id = frozen_days.hp_id
        and active.chained_on = frozen_days.chained_on
        and frozen_days.frozen_from_on <= active.as_of_date
    group by active.as_of_date, active.hp_id
),

final as (
    select
        active.as_of_date,
        active.user_id,
        active.hp_id,
        active.spell_id,
        active.hp_end_corrected,
        active.is_already_renewed,
        versions.currency,
        profiles.age_years,
        profiles.sex,
        profiles.height_cm,
        profiles.weight_kg,
        profiles.body_mass_index,
        profiles.fat_share,
        profiles.city,
        coalesce(versions.club_id, profiles.club_id) as club_id,
        profiles.work_type,
        profiles.transport,
        profiles.fitness_experience,
        profiles.goal,
        profiles.onboarding,
        profiles.has_trial,
        profiles.is_in_clan,
        profiles.friend_count,
        coalesce(profiles.factors || versions.factors, profiles.factors, versions.factors) as factors,
        profiles.tenure_days,
        (active.as_of_date - active.spell_starts_on)::float8 / 7 as spell_weeks,
        active.pass_number::int as pass_number,
        versions.product,
        versions.price,
        versions.discount_share,
        versions.is_trial,
        active.pass_days,
        active.hp_end_corrected - active.as_of_date as days_to_end,
        case when {{ has_entity('freezes') }} then coalesce(freeze_use.freeze_days_used, 0) end
            as freeze_days_used,
        case when {{ has_entity('freezes') }} then coalesce(freeze_use.is_frozen, false) end as is_frozen,
        (active.pass_number - active.spell_number)::int as renewals_so_far,
        (active.purchased_on - active.first_purchased_on)::float8 / nullif(active.pass_number - 1, 0)
            as days_between_purchases_mean,
        active.purchased_on - active.previous_end_on as last_renewal_lead_days,
        active.as_of_date - profiles.clan_since_on as clan_days,
        metrics.active_friend_count,
        {{ sociability('profiles.friend_count', usual_acts) }} as sociability,
        active.spent_so_far
        {%- for metric in all_metrics %},
        {{ metric_with_norms(metric.feature) }}
        {%- endfor %}
    from active_passes as active
    inner join versions
        on active.hp_id = versions.hp_id and {{ is_known('versions', 'active.as_of_date') }}
    inner join metrics
        on active.user_id = metrics.user_id and active.as_of_date = metrics.window_end
    left join profiles
        on active.user_id = profiles.user_id and active.as_of_date = profiles.as_of_date
    left join norms
        on active.user_id = norms.user_id and norms.week_start = {{ week_of('active.as_of_date - 6') }}
    left join freeze_use
        on active.hp_id = freeze_use.hp_id and active.as_of_date = freeze_use.as_of_date
)

select * from final
