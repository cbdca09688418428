with {{ weeks_bounds() }},

{{ measured('bounds', is_weekly=true) }},

final as (
    select *, {{ week_of('window_end') }} as week_start
    from measured
)

select * from final
