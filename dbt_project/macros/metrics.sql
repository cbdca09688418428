{#
    The weekly metrics, one SQL expression each. The catalogue (seed meta_feature_catalog) says which are in
    use; adding a metric is one row there and one expression here.

    An expression reads the measures of fact_user_day summed over the window, the columns of window_states
    (null where there is nothing to say), and besides
        window_end     last day of the window
        last_visit_on  last day with a visit, as known at the end of the window; null if never
        first_pass_on  first day of the first pass of a member who never came
    It need not mind what the source lacks: the metric is null where its source entity is absent, or its source field.
#}
{% macro metric_expressions() %}
    {{ return({
        'bookings':
            'booked_count',
        'visits':
            'visit_count',
        'attended_share':
            'visit_count::float8 / nullif(closed_booking_count, 0)',
        'completion_share':
            'stations_done::float8 / nullif(stations_planned, 0)',
        'cancelled_share':
            'cancelled_count::float8 / nullif(closed_booking_count, 0)',
        'late_cancelled_share':
            'late_cancelled_count::float8 / nullif(closed_booking_count, 0)',
        'no_show_share':
            'no_show_count::float8 / nullif(closed_booking_count, 0)',
        'booking_lead_hours':
            'lead_hours_sum / nullif(booked_count, 0)',
        'hour_entropy':
            'hour_entropy',
        'weekday_entropy':
            'weekday_entropy',
        'coaches':
            'coach_count',
        'class_types':
            'class_type_count',
        'joint_visit_share':
            'case when active_friend_count is not null then joint_visit_count::float8 / nullif(visit_count, 0) end',
        'days_since_last_visit':
            'window_end - coalesce(last_visit_on, first_pass_on)',
        'coach_absent_days':
            'coach_absent_days',
        'set_weight_kg':
            'weight_sum_kg / nullif(weight_set_count, 0)',
        'station_weight_progress':
            'weight_progress_sum / nullif(weight_set_count, 0)',
        'weight_entries':
            'weight_set_count',
        'heart_rate_share':
            'heart_rate_set_count::float8 / nullif(set_count, 0)',
        'effort':
            'heart_rate_sum / nullif(heart_rate_count, 0)',
        'weight_change_kg':
            'weight_change_kg',
        'fat_share_change':
            'fat_share_change',
        'muscle_change_kg':
            'muscle_change_kg',
        'assessments':
            'assessment_count',
        'assessment_change':
            'score_change',
        'app_sessions':
            'app_session_count',
        'app_minutes':
            'case when app_session_count = 0 or app_timed_count > 0 or app_minutes > 0 then app_minutes end',
        'feed_opens':
            'feed_count',
        'leaderboard_opens':
            'leaderboard_count',
        'achievement_opens':
            'achievement_count',
        'steps':
            'steps::float8 / nullif(step_day_count, 0)',
        'social_actions':
            'social_action_count',
        'social_posts':
            'post_count',
        'social_reactions':
            'reaction_count',
        'new_friends':
            'friend_added_count',
        'friends_lost':
            'lost_friend_count',
        'tickets':
            'ticket_count',
        'ticket_tone':
            'tone_sum / nullif(tone_count, 0)',
        'failed_payments':
            'failed_payment_count',
        'freeze_days':
            'coalesce(frozen_days, 0)',
        'freeze_days_left':
            'freeze_days_allowed - coalesce(used_freeze_days, 0)',
        'price_change':
            'list_price_change',
        'season_attendance_index':
            'attendance_index',
        'holiday_days':
            'holiday_count',
    }) }}
{% endmacro %}

{% macro metric_expression(metric) %}
    {%- set expressions = metric_expressions() -%}
    {%- if metric not in expressions -%}
        {{ exceptions.raise_compiler_error(
            "meta_feature_catalog.csv has the external metric '" ~ metric ~ "', but macros/metrics.sql has no "
            ~ "expression for it: add one to metric_expressions(), or set is_active to false in the catalogue."
        ) }}
    {%- endif -%}
    {{ return(expressions[metric]) }}
{% endmacro %}

{#
    The catalogue's active weekly metrics: dicts of feature, source_entity, source_field, label_en and unit; empty
    while parsing. Read by name, not by ref: a unit test would put its own rows in the catalogue's place. A model that
    calls this names the catalogue in a depends_on comment.
#}
{% macro active_metrics(derived=true) %}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set rows = run_query(
        "select feature, source_entity, source_field, label_en, unit from " ~ target.schema ~ ".meta_feature_catalog"
        ~ " where feature_group = 'external' and is_active order by feature"
    ) -%}
    {%- set metrics = [] -%}
    {%- for row in rows if derived or row['feature'] not in derived_metrics() -%}
        {%- do metrics.append({
            'feature': row['feature'], 'source_entity': row['source_entity'],
            'source_field': row['source_field'], 'label_en': row['label_en'], 'unit': row['unit'],
        }) -%}
    {%- endfor -%}
    {{ return(metrics) }}
{% endmacro %}

{# Emits the CTE extractions: whether the source has each entity and which of its fields, by its latest extraction. #}
{% macro latest_extractions() %}
latest_extractions as (
    select distinct on (entity) entity, is_mapped, mapped_fields, recorded_since
    from {{ source('ris_raw', 'extraction_log') }}
    order by entity, finished_at desc
),

extractions as (
    select entity, is_mapped, mapped_fields, recorded_since from latest_extractions
    union all
    select
        'holidays' as entity,
        exists (select from {{ source('ris_raw', 'holidays') }}) as is_mapped,
        null as mapped_fields,
        null as recorded_since
)
{%- endmacro %}

{#
    Whether the source has an entity, or a field of it, from the CTE extractions. Extractions of earlier versions did not
    say which fields: all.
#}
{% macro has_entity(entity, field=none) -%}
    exists (
        select 1 from extractions
        where entity = '{{ entity }}' and is_mapped
            {%- if field %} and ('{{ field }}' = any(mapped_fields)) is not false{% endif -%}
    )
{%- endmacro %}

{# Whether all of an entity was recorded from a day on: what the source did not write down yet is not 0. #}
{% macro is_recorded(entity, from_on) -%}
    ({{ from_on }} >= (select recorded_since from extractions where entity = '{{ entity }}')) is not false
{%- endmacro %}

{#
    Rows of a relation with activity_date, each with the end of a window that it falls into: calendar weeks up to the
    horizon, or the windows of the CTE target_days.
#}
{% macro in_windows(relation, is_weekly) -%}
    {%- if is_weekly -%}
    select {{ relation }}.*, least({{ week_of(relation ~ '.activity_date') }} + 6, bounds.horizon_on) as window_end
    from {{ relation }}
    cross join (select {{ horizon() }} as horizon_on) as bounds
    {%- else -%}
    select {{ relation }}.*, target_days.window_end
    from {{ relation }}
    inner join target_days
        on {{ relation }}.user_id = target_days.user_id
        and {{ relation }}.activity_date = target_days.activity_date
    {%- endif -%}
{%- endmacro %}

{# Activity of the targets' windows only, unless these are all there are: then reading in order is faster. #}
{% macro within_windows(targets) -%}
    where {{ 'true' if opens_at_the_beginning() else
        'activity_date between (select min(window_start) from ' ~ targets ~ ')
        and (select max(window_end) from ' ~ targets ~ ')' }}
{%- endmacro %}

{#
    Every active metric over each target's window, as known at the end of the window.

    targets: a CTE (user_id, window_start, window_end, hp_id), windows of at most seven days; hp_id is the pass that
    the window ends on. is_weekly says that all windows are calendar weeks and targets rows of int_exposed_weeks;
    otherwise the exposure clock of the window ends must stand before.

    Emits the CTE metrics (user_id, window_end, active_friend_count, one column per metric), one row per target.
#}
{% macro window_metrics(targets, is_weekly=false) %}
{%- set metrics = active_metrics(derived=false) %}
{%- set friends, freezes = ('targets', 'targets') if is_weekly else ('friend_states', 'freeze_states') %}
{{ latest_extractions() }},

{%- if not is_weekly %}

target_days as materialized (
    select
        targets.user_id,
        targets.window_end,
        targets.window_start + days.day_number as activity_date
    from {{ targets }} as targets
    cross join generate_series(0, 6) as days (day_number)
    where targets.window_start + days.day_number <= targets.window_end
),
{%- endif %}

{%- if is_weekly %}
measured as (
    select * from {{ ref('int_week_measured') }}
    where {{ in_window_weeks() }} and activity_week_start = week_start
),

visit_spreads as (
    select * from {{ ref('int_week_attendance') }}
    where {{ in_window_weeks() }}
),

last_visits as not materialized (
    select * from {{ ref('int_week_last_visits') }}
    where {{ in_window_weeks() }}
),
{%- else %}
{{ measured(targets) }},

{{ visit_spreads(targets) }},

{{ last_visits(targets) }},
{%- endif %}

-- Who never came has been away since the first pass.
without_visit as materialized (
    select targets.user_id, targets.window_end
    from {{ targets }} as targets
    left join last_visits
        on targets.user_id = last_visits.user_id and targets.window_end = last_visits.window_end
    where last_visits.user_id is null
),

first_passes as (
    select without_visit.user_id, without_visit.window_end, min(passes.starts_on) as first_pass_on
    from without_visit
    inner join {{ ref('int_hero_passes_versioned') }} as passes
        on without_visit.user_id = passes.user_id and {{ is_known('passes', 'without_visit.window_end') }}
    where {{ has_coverage('passes', 'without_visit.window_end') }}
    group by without_visit.user_id, without_visit.window_end
),

{{ window_states(targets, is_weekly) }},

-- Members without any activity stay: they are the ones at risk.
observed as (
    select
        targets.user_id,
        targets.window_start,
        targets.window_end,
        first_passes.first_pass_on,
        {%- for measure in day_measures() %}
        coalesce(measured.{{ measure.name }}, 0) as {{ measure.name }},
        {%- endfor %}
        last_visits.last_visit_on,
        visit_spreads.weekday_entropy,
        visit_spreads.hour_entropy,
        coalesce(visit_spreads.coach_count, 0) as coach_count,
        coalesce(visit_spreads.class_type_count, 0) as class_type_count,
        body_changes.weight_change_kg,
        body_changes.fat_share_change,
        body_changes.muscle_change_kg,
        score_changes.score_change,
        {{ friends }}.active_friend_count,
        {{ friends }}.lost_friend_count,
        {{ freezes }}.frozen_days,
        {{ freezes }}.used_freeze_days,
        passes.freeze_days_allowed,
        case when passes.price > 0 then {{ price_change('list_prices.list_price', 'passes') }} end as list_price_change,
        case
            when last_visits.coach_id is not null
                then targets.window_end
                    - coalesce(coach_weeks.last_class_on, targets.window_end - {{ var('coach_gone_days') }})
        end as coach_absent_days,
        day_states.attendance_index,
        day_states.holiday_count
    from {{ targets }} as targets
    left join measured
        on targets.user_id = measured.user_id and targets.window_end = measured.window_end
    {%- for states in ['last_visits', 'first_passes', 'visit_spreads', friends, freezes] if states != 'targets' %}
    left join {{ states }}
        on targets.user_id = {{ states }}.user_id and targets.window_end = {{ states }}.window_end
    {%- endfor %}
    {%- for changes in ['body_changes', 'score_changes'] %}
    left join {{ changes }}
        on targets.user_id = {{ changes }}.user_id
        and {{ changes }}.known_on <= targets.window_end
        and targets.window_end < {{ changes }}.next_on
    {%- endfor %}
    left join {{ ref('int_hero_passes_versioned') }} as passes
        on targets.hp_id = passes.hp_id and {{ is_known('passes', 'targets.window_end') }}
        -- Says no more than that it covers a day of the window, of few passes and at once.
        and passes.covers_at_most_until_on >= {{ first_window_week() }}
    left join {{ ref('int_list_prices_dated') }} as list_prices
        on {{ price_key('passes') }} = list_prices.price_key
        and list_prices.from_on <= targets.window_end
        and targets.window_end < list_prices.until_on
    left join coach_weeks
        on last_visits.coach_id = coach_weeks.coach_id and targets.window_end = coach_weeks.window_end
    left join day_states on targets.window_end = day_states.window_end
),

metrics as (
    select
        user_id,
        window_end,
        active_friend_count
        {%- for metric in metrics %},
        case
            when {{ has_entity(metric.source_entity, metric.source_field) }}
                and {{ is_recorded(metric.source_entity, 'window_start') }}
                then ({{ metric_expression(metric.feature) }})::float8
        end as {{ metric.feature }}
        {%- endfor %}
    from observed
)
{%- endmacro %}

{#
    Comments on the columns that follow the catalogue, from the catalogue's own texts: they are described in
    one place, whatever the catalogue holds. suffixes: the columns of a metric m that the table has, as
    (suffix, text) pairs.
#}
{% macro describe_metrics(suffixes, derived=true) %}
    {%- set comments = {} %}
    {%- for metric in active_metrics(derived) %}
        {%- for suffix, text in suffixes %}
            {%- do comments.update({metric.feature ~ suffix: metric.label_en ~ ', ' ~ metric.unit ~ text}) %}
        {%- endfor %}
    {%- endfor %}
    {{- comment_on(this, none, comments) }}
{% endmacro %}

{# What the suffixes of a metric mean. #}
{% macro norm_suffixes() %}
    {%- set suffixes = [] -%}
    {%- for name, text in var('norm_texts').items() -%}
        {%- do suffixes.append(('_' ~ name, ': ' ~ text)) -%}
    {%- endfor -%}
    {{ return(suffixes) }}
{% endmacro %}

{#
    Metrics that look further back than a window: each week's row goes by what the weeks before it showed, which the
    norms asset counts (features/norms.py). Expressions over the CTEs metrics and norms.
#}
{% macro derived_metrics() %}
    {{ return({
        'visit_streak_weeks':
            'case when metrics.visits > 0 then least(coalesce(norms.visit_streak_weeks_before, 0) + 1, 26)'
            ~ ' when metrics.visits = 0 then 0 end',
    }) }}
{% endmacro %}

{# A metric, its norms and its distance from the mean, from CTEs called metrics and norms. #}
{% macro metric_with_norms(metric) -%}
    {%- set derived = derived_metrics() -%}
    {%- set value = '(' ~ derived[metric] ~ ')::float8' if metric in derived else 'metrics.' ~ metric -%}
    {{ value }} as {{ metric }}
    {%- for suffix, text in norm_suffixes() %},
        norms.{{ metric }}{{ suffix }}
    {%- endfor %},
        {{ value }} - norms.{{ metric }}_ewma as {{ metric }}_delta
{%- endmacro %}

{#
    The measures of fact_user_day summed over each window, as known at its end: the CTE measured (user_id, window_end).
    The CTE target_days must stand before.
#}
{% macro measured(targets) %}
user_days as (
    select * from {{ ref('int_user_days_measured') }}
    {{ within_windows(targets) }}
),

windowed_days as (
    {{ in_windows('user_days', is_weekly=false) }}
),

measured as (
    select
        user_id,
        window_end,
        {{ summed_measures() }}
    from windowed_days
    where known_on <= window_end
    group by user_id, window_end
)
{%- endmacro %}

{# Every measure of fact_user_day, summed. #}
{% macro summed_measures() -%}
    {%- for measure in day_measures() %}
        sum({{ measure.name }}) as {{ measure.name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
    The last day with a visit and the coach of its last visit, as known at the end of each target's window: the CTE
    last_visits (user_id, window_end). The CTE visit_spreads must stand before: who came within the window came last then,
    of the others all that they ever did is looked back on.
#}
{% macro last_visits(targets) %}
targets_without_visit as (
    select targets.user_id, targets.window_end
    from {{ targets }} as targets
    left join visit_spreads
        on targets.user_id = visit_spreads.user_id and targets.window_end = visit_spreads.window_end
    where visit_spreads.user_id is null
),

earlier_visits as (
    select targets.user_id, targets.window_end, visits.last_visit_on
    from targets_without_visit as targets
    inner join lateral (
        select changes.activity_date as last_visit_on
        from {{ ref('int_booking_changes') }} as changes
        where changes.user_id = targets.user_id
            and changes.activity_date <= targets.window_end
            and changes.known_on <= targets.window_end
            and changes.what = 'attended'
        group by changes.activity_date
        having sum(changes.change) > 0
        order by changes.activity_date desc
        limit 1
    ) as visits on true
),

last_visits as (
    select targets.user_id, targets.window_end, visit_spreads.last_visit_on, visit_spreads.coach_id
    from {{ targets }} as targets
    inner join visit_spreads
        on targets.user_id = visit_spreads.user_id and targets.window_end = visit_spreads.window_end
    union all
    select earlier_visits.user_id, earlier_visits.window_end, earlier_visits.last_visit_on, coaches.coach_id
    from earlier_visits
    left join lateral (
        select changes.coach_id
        from {{ ref('int_booking_changes') }} as changes
        where changes.user_id = earlier_visits.user_id
            and changes.activity_date = earlier_visits.last_visit_on
            and changes.known_on <= earlier_visits.window_end
            and changes.what = 'attended'
        group by changes.coach_id, changes.starts_at
        having sum(changes.change) > 0
        order by changes.starts_at desc, changes.coach_id
        limit 1
    ) as coaches on true
)
{%- endmacro %}
