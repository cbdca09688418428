{#
    How sociable a member is, from friends and social acts a week: the thresholds are vars. What is not known
    speaks neither for nor against; with neither known it is null.
#}
{% macro sociability(friends, acts_a_week) -%}
    case
        when {{ friends }} is null and {{ acts_a_week }} is null then null
        when coalesce({{ friends }} >= {{ var('extravert_friends') }}, true)
            and coalesce({{ acts_a_week }} >= {{ var('extravert_acts_a_week') }}, true) then 'extravert'
        when coalesce({{ friends }} <= {{ var('introvert_friends') }}, true)
            and coalesce({{ acts_a_week }} <= {{ var('introvert_acts_a_week') }}, true) then 'introvert'
        else 'ambivert'
    end
{%- endmacro %}
