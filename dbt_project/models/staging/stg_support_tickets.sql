with final as (
    {% call event_versions('support_tickets') %}
    select
        ticket_id,
        user_id,
        opened_at,
        {{ studio_day('opened_at') }} as opened_on,
        topic,
        tone,
        rating
    {%- endcall %}
)

select * from final
