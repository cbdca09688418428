{{ config(indexes=[{'columns': ['hp_id']}]) }}

with horizon as (
    select {{ horizon() }} as as_of_date
),

{{ exposure_clock('horizon') }},

final as (
    select hp_id, frozen_from_on, frozen_to_on
    from frozen_spans
)

select * from final
