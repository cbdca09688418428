{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['user_id', 'station']}],
        pre_hook="{{ delete_where('known_on >= least(' ~ window_start() ~ ', (select max(known_on) from ' ~ this ~ '))') }}",
        post_hook="{{ analyzed() }}",
    )
}}

{#- Whatever window a run has, all that has landed is in: a day may be run before the days before it. Of all that was known on
    one day nothing is left to start from. -#}
{%- set from_instant = start_of_day(
    'least(' ~ window_start() ~ ', coalesce((select max(known_on) from ' ~ this ~ "), date '1900-01-01'))"
) %}

with lifted as (
    select user_id, station, performed_at, known_on, weight_kg
    from {{ ref('stg_station_results') }}
    where weight_kg > 0
        {%- if adds_to_its_rows() %}
        and (performed_at >= {{ from_instant }} or known_at >= {{ from_instant }})
        {%- endif %}
),

-- The first lift that was known: one that arrives late does not change what was said before.
first_lifts as (
    select distinct on (user_id, station) user_id, station, known_on, weight_kg
    from lifted
    order by user_id, station, known_on, performed_at, weight_kg
),

final as (
    select * from first_lifts
    {%- if adds_to_its_rows() %}
    where not exists (
        select from {{ this }} as known
        where known.user_id = first_lifts.user_id and known.station is not distinct from first_lifts.station
    )
    {%- endif %}
)

select * from final
