with final as (
    {% call event_versions('payments') %}
    select
        payment_id,
        user_id,
        hp_id,
        paid_at,
        {{ studio_day('paid_at') }} as paid_on,
        amount,
        upper(currency) as currency,
        status,
        method
    {%- endcall %}
)

select * from final
