with {{ weeks_bounds() }},

{{ visit_spreads('bounds', is_weekly=true) }},

final as (
    select *, {{ week_of('window_end') }} as week_start
    from visit_spreads
)

select * from final
{{ stored_by('week_start') }}
