{#
    Fails for every column that the catalogue promises and the table lacks: Python would look for it in vain.
    A weekly metric brings a column per suffix; group all holds the table to the internal features too.
#}
{% test has_catalog_columns(model, suffixes, group='external', derived=true) %}
    with promised as (
        select feature || suffix as column_name
        from {{ ref('meta_feature_catalog') }}
        cross join unnest(array[{% for suffix in suffixes %}'{{ suffix }}'{{ ',' if not loop.last }}{% endfor %}])
            as suffixes (suffix)
        where is_active and feature_group = 'external'
        {%- if not derived %}
            and feature not in ('{{ derived_metrics() | join("', '") }}')
        {%- endif %}
        {%- if group == 'all' %}
        union all
        select feature as column_name
        from {{ ref('meta_feature_catalog') }}
        where is_active and feature_group = 'internal'
        {%- endif %}
    )

    select column_name from promised
    except
    select attname
    from pg_attribute
    where attrelid = '{{ model }}'::regclass and attnum > 0 and not attisdropped
{% endtest %}
