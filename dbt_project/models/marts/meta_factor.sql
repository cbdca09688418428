{%- set number = "'^[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$'" -%}

with told as (
    select 'users' as source_entity, told.name, told.value
    from {{ ref('core_user') }} as users
    cross join lateral jsonb_each_text(users.factors) as told (name, value)
    where users.factors is not null
    union all
    select 'hero_passes', told.name, told.value
    from {{ ref('core_hp_period') }} as passes
    cross join lateral jsonb_each_text(passes.factors) as told (name, value)
    where passes.factors is not null
),

-- Of a name that was a member's in an earlier map and is a pass's by now, the pass's counts.
named as (
    select
        name,
        min(source_entity) as source_entity,
        count(value)::int as value_count,
        coalesce(bool_and(value ~ {{ number }}), false) as is_number,
        format('(s.factors ->> %L)', name) as as_text
    from told
    group by name
),

final as (
    select
        'factor_' || name as feature,
        source_entity,
        replace(name, '_', ' ') as label,
        value_count,
        is_number,
        case
            when is_number then format('case when %1$s ~ %2$L then %1$s::float8 end', as_text, {{ number }})
            else as_text
        end as expression
    from named
)

select * from final
