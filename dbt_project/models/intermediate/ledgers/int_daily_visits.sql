with days as (
    select * from {{ ref('int_user_days_measured') }}
    where visit_count <> 0 and known_on <= {{ window_end() }}
        {%- if adds_to_its_rows() %}
        and known_on >= {{ window_start() }}
        {%- endif %}
),

final as (
    select activity_date, known_on, sum(visit_count)::int as visit_count
    from days
    group by activity_date, known_on
)

select * from final
