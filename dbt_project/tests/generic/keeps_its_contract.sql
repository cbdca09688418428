{#
    Fails for every column of a catalogue-wide table that is not what its readers were promised: the named ones of
    their types, and every other one a number that the catalogue names (a metric, or one of its norms). What an
    enforced dbt contract does for the other tables cannot list columns that the catalogue decides.
#}
{% test keeps_its_contract(model, types, suffixes) %}
    with held as (
        select attname as column_name, format_type(atttypid, atttypmod) as data_type
        from pg_attribute
        where attrelid = '{{ model }}'::regclass and attnum > 0 and not attisdropped
    ),

    promised as (
        {%- for name, type in types.items() %}
        select '{{ name }}' as column_name, '{{ type }}' as data_type
        union all
        {%- endfor %}
        select feature || suffix as column_name, 'double precision' as data_type
        from {{ ref('meta_feature_catalog') }}
        cross join unnest(array[{% for suffix in suffixes %}'{{ suffix }}'{{ ',' if not loop.last }}{% endfor %}])
            as suffixes (suffix)
        where feature_group = 'external'
    )

    select held.column_name, held.data_type, promised.data_type as promised_type
    from held
    left join promised on held.column_name = promised.column_name
    where promised.data_type is distinct from held.data_type
    union all
    select name, null, '{{ types | length }} named columns'
    from unnest(array['{{ types.keys() | join("', '") }}']) as names (name)
    where name not in (select column_name from held)
{% endtest %}
