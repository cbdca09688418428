{#
    The weekly metrics, one SQL expression each. The catalogue (seed meta_feature_catalog) says which are in
    use; adding a metric is one row there and one expression here.

    An expression reads the measures of fact_user_day summed over the window, and besides
        window_end     last day of the window
        last_visit_on  last day with a visit, as known at the end of the window; null if never
        first_pass_on  first day of the member's first pass
    It need not mind absent entities: the metric is null where its source entity is absent.
#}
{% macro metric_expressions() %}
    {{ return({
        'visits':
            'visit_count',
        'attended_share':
            'visit_count::float8 / nullif(closed_booking_count, 0)',
        'cancelled_share':
            'cancelled_count::float8 / nullif(closed_booking_count, 0)',
        'no_show_share':
            'no_show_count::float8 / nullif(closed_booking_count, 0)',
        'days_since_last_visit':
            'window_end - coalesce(last_visit_on, first_pass_on)',
        'station_weight_progress':
            'weight_progress_sum / nullif(weight_set_count, 0)',
        'app_minutes':
            'app_minutes',
        'steps':
            'steps::float8 / nullif(step_day_count, 0)',
        'social_actions':
            'social_action_count',
        'tickets':
            'ticket_count',
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
    The catalogue's active weekly metrics: dicts of feature, source_entity, label_en and unit; empty while
    parsing. Read by name, not by ref: a unit test would put its own rows in the catalogue's place. A model that
    calls this names the catalogue in a depends_on comment.
#}
{% macro active_metrics() %}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set rows = run_query(
        "select feature, source_entity, label_en, unit from " ~ target.schema ~ ".meta_feature_catalog"
        ~ " where feature_group = 'external' and is_active order by feature"
    ) -%}
    {%- set metrics = [] -%}
    {%- for row in rows -%}
        {%- do metrics.append({
            'feature': row['feature'], 'source_entity': row['source_entity'],
            'label_en': row['label_en'], 'unit': row['unit'],
        }) -%}
    {%- endfor -%}
    {{ return(metrics) }}
{% endmacro %}

{# Emits the CTE extractions: whether the source has each entity, by its latest extraction. #}
{% macro latest_extractions() %}
extractions as (
    select distinct on (entity) entity, is_mapped
    from {{ source('ris_raw', 'extraction_log') }}
    order by entity, finished_at desc
)
{%- endmacro %}

{# Whether the source has an entity, from the CTE extractions. #}
{% macro has_entity(entity) -%}
    exists (select 1 from extractions where entity = '{{ entity }}' and is_mapped)
{%- endmacro %}

{#
    Every active metric over each target's window, as known at the end of the window.

    targets: a CTE (user_id, window_start, window_end, first_pass_on), windows of at most seven days.

    Emits the CTE metrics (user_id, window_end, one column per metric), one row per target.
#}
{% macro window_metrics(targets) %}
{%- set metrics = active_metrics() %}
user_days as (
    select * from {{ ref('int_user_days_measured') }}
    where activity_date between (select min(window_start) from {{ targets }})
        and (select max(window_end) from {{ targets }})
),

{{ latest_extractions() }},

target_days as materialized (
    select
        targets.user_id,
        targets.window_end,
        targets.window_start + days.day_number as activity_date
    from {{ targets }} as targets
    cross join generate_series(0, 6) as days (day_number)
    where targets.window_start + days.day_number <= targets.window_end
),

measured as (
    select
        target_days.user_id,
        target_days.window_end,
        {%- for measure in day_measures() %}
        sum(user_days.{{ measure.name }}) as {{ measure.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from target_days
    inner join user_days
        on target_days.user_id = user_days.user_id
        and target_days.activity_date = user_days.activity_date
        and user_days.known_on <= target_days.window_end
    group by target_days.user_id, target_days.window_end
),

-- Members without any activity stay: they are the ones at risk.
observed as (
    select
        targets.user_id,
        targets.window_end,
        targets.first_pass_on,
        last_visits.last_visit_on,
        {%- for measure in day_measures() %}
        coalesce(measured.{{ measure.name }}, 0) as {{ measure.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ targets }} as targets
    left join measured
        on targets.user_id = measured.user_id and targets.window_end = measured.window_end
    left join lateral (
        select visits.activity_date as last_visit_on
        from {{ ref('int_user_days_measured') }} as visits
        where visits.user_id = targets.user_id
            and visits.activity_date <= targets.window_end
            and visits.known_on <= targets.window_end
            and visits.visit_count <> 0
        group by visits.activity_date
        having sum(visits.visit_count) > 0
        order by visits.activity_date desc
        limit 1
    ) as last_visits on true
),

metrics as (
    select
        user_id,
        window_end
        {%- for metric in metrics %},
        case when {{ has_entity(metric.source_entity) }} then ({{ metric_expression(metric.feature) }})::float8 end as {{ metric.feature }}
        {%- endfor %}
    from observed
)
{%- endmacro %}

{#
    Comments on the columns that follow the catalogue, from the catalogue's own texts: they are described in
    one place, whatever the catalogue holds. suffixes: the columns of a metric m that the table has, as
    (suffix, text) pairs.
#}
{% macro describe_metrics(suffixes) %}
    {%- for metric in active_metrics() %}
        {%- for suffix, text in suffixes %}
    comment on column {{ this }}.{{ metric.feature }}{{ suffix }}
        is '{{ (metric.label_en ~ ', ' ~ metric.unit ~ text) | replace("'", "''") }}';
        {%- endfor %}
    {%- endfor %}
    select 1
{% endmacro %}

{# What the suffixes of a metric mean. #}
{% macro norm_suffixes() %}
    {{ return([
        ('_ewma', ': exponentially weighted mean of the 26 weeks before'),
        ('_p25', ': first quartile of the 26 weeks before'),
        ('_p50', ': median of the 26 weeks before'),
        ('_p75', ': third quartile of the 26 weeks before'),
        ('_recent', ': mean of the last four complete weeks'),
    ]) }}
{% endmacro %}

{# A metric, its norms and its distance from the mean, from CTEs called metrics and norms. #}
{% macro metric_with_norms(metric) -%}
    metrics.{{ metric }}
    {%- for suffix, text in norm_suffixes() %},
        norms.{{ metric }}{{ suffix }}
    {%- endfor %},
        metrics.{{ metric }} - norms.{{ metric }}_ewma as {{ metric }}_delta
{%- endmacro %}
