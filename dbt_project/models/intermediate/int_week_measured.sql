{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['week_start']}],
        pre_hook=["{{ only_hash_joins() }}", "{{ delete_where('week_start between ' ~ first_window_week() ~ ' and ' ~ window_end()) }}"],
        post_hook="{{ analyzed() }}",
    )
}}

with bounds as (
    select
        {{ first_window_week() }} as window_start,
        least({{ week_of(window_end()) }} + 6, {{ horizon() }}) as window_end
),

{{ measured('bounds', is_weekly=true) }},

final as (
    select *, {{ week_of('window_end') }} as week_start
    from measured
)

select * from final
