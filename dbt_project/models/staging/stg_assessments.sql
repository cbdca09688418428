with final as (
    {% call event_versions('assessments') %}
    select
        assessment_id,
        user_id,
        assessed_at,
        {{ studio_day('assessed_at') }} as assessed_on,
        kind,
        score
    {%- endcall %}
)

select * from final
