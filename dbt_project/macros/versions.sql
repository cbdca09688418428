{#
    A versioned entity as a select: each version with the days at whose end it is the one that is known,
    known_from_on <= D < known_until_on.

    The first version counts from the day of its event: history that was loaded when RIS went live was
    known to the studio before. Later versions count from the day they became known.
#}
{% macro known_ranges(relation, id='source_id') %}
    select
        *,
        coalesce(
            lead(known_from_on) over (partition by {{ id }} order by known_at), date '9999-12-31'
        ) as known_until_on
    from (
        select
            *,
            case
                when row_number() over (partition by {{ id }} order by known_at) = 1
                    then {{ studio_day('event_at') }}
                else {{ studio_day('greatest(event_at, known_at)') }}
            end as known_from_on
        from {{ relation }}
    ) as versions
{% endmacro %}

{# Whether a version is the one known at the end of a day. #}
{% macro is_known(version, day) -%}
    {{ version }}.known_from_on <= {{ day }} and {{ day }} < {{ version }}.known_until_on
{%- endmacro %}
