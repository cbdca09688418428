{#
    A versioned entity as a select: each version with the days at whose end it is the one that is known,
    known_from_on <= D < known_until_on.

    History that was loaded when RIS went live was known to the studio before: the first version of a document that
    the first extraction of its entity found counts from the day of its event. What came later counts from the day on
    which it became known, be its event earlier.
#}
{% macro known_ranges(relation, entity, id='source_id') %}
    select
        *,
        case
            when {{ is_history(entity, id) }} then {{ studio_day('event_at') }}
            else {{ studio_day('greatest(event_at, known_at)') }}
        end as known_from_on,
        -- Those after it are no document's first. The earliest ends it: one may tell of a day ahead and be taken back.
        coalesce(
            {{ studio_day(
                'min(greatest(event_at, known_at)) over (partition by ' ~ id ~ ' order by known_at'
                ~ ' rows between 1 following and unbounded following)'
            ) }},
            date '9999-12-31'
        ) as known_until_on
    from {{ relation }}
{% endmacro %}

{# Whether a version is the history that was loaded when RIS went live. #}
{% macro is_history(entity, id='source_id') -%}
    row_number() over (partition by {{ id }} order by known_at) = 1 and (known_at > {{ went_live(entity) }}) is not true
{%- endmacro %}

{#
    Whether something was known before the day on which RIS went live, and so explains the history loaded then: what
    that day itself and later ones bring must not change it.
#}
{% macro is_of_history(known_on, entity) -%}
    ({{ known_on }} >= {{ studio_day(went_live(entity)) }}) is not true
{%- endmacro %}

{# When the first extraction of an entity had ended; null before. #}
{% macro went_live(entity) -%}
    (select min(finished_at) from {{ source('ris_raw', 'extraction_log') }} where entity = '{{ entity }}' and is_mapped)
{%- endmacro %}

{# Whether a version is the one known at the end of a day. #}
{% macro is_known(version, day) -%}
    {{ version }}.known_from_on <= {{ day }} and {{ day }} < {{ version }}.known_until_on
{%- endmacro %}

{#
    Hash of all that was landed of a group of an entity's versions, as whole rows, so that a column added later counts; with
    what else makes them what they are: what staging understands them as, and when RIS went live.
#}
{% macro landed_hash(entity, versions) -%}
    sum(hash_record_extended({{ versions }}, (
            select hash_record_extended(
                row(
                    pg_get_viewdef('{{ ref('stg_' ~ entity ~ '__versions') }}'::regclass),
                    {{ went_live(entity) }}
                ),
                0
            )
        )))
{%- endmacro %}
