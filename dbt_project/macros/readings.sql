{#
    Of each value of a reading its last and the one before by the clock of the readings, as they were known: a reading
    that is entered after a later one becomes the one before, one without the value says nothing about it.

    readings: a CTE (user_id, known_on, known_until_on, read_at, reading_id, the values). Values are compared within each
    set of `by`.

    Emits the CTE last_two: the readings by the eras of a member (era_on), their number in the order in which they became
    known (turn), and for each value v as known from then on v_last and v_before: arrays of instant (s), turn and value.
#}
{% macro last_two(readings, values, by=['user_id']) %}
{#- Always the same order, by the same columns: it is sorted once. -#}
{%- set so_far = 'partition by ' ~ by | join(', ') ~ ', era_on ' ~ in_turn() %}
-- What is corrected or gone opens another era of the member, with all that is still known, and at first with nothing.
eras as (
    select
        user_id,
        era_on,
        lead(era_on, 1, date '9999-12-31') over (partition by user_id order by era_on) as next_era_on
    from (
        select user_id, date '0001-01-01' as era_on
        from {{ readings }}
        union
        select user_id, known_until_on
        from {{ readings }}
        where known_until_on < date '9999-12-31'
    ) as openings
),

in_eras as (
    select
        readings.{{ by | join(',\n        readings.') }},
        eras.era_on,
        greatest(readings.known_on, eras.era_on) as known_on,
        readings.read_at,
        readings.reading_id
        {%- for value in values %},
        readings.{{ value }}
        {%- endfor %}
    from eras
    inner join {{ readings }} as readings
        on eras.user_id = readings.user_id
        and readings.known_on < eras.next_era_on
        and eras.era_on < readings.known_until_on
    union all
    select
        user_id,
        {%- for other in by[1:] %}
        null as {{ other }},
        {%- endfor %}
        era_on,
        era_on as known_on,
        '-infinity' as read_at,
        null as reading_id
        {%- for value in values %},
        null as {{ value }}
        {%- endfor %}
    from eras
    where era_on > date '0001-01-01'
),

turns as (
    select
        *,
        extract(epoch from read_at)::float8 as read_s,
        row_number() over (partition by user_id {{ in_turn() }}) as turn
    from in_eras
),

points as (
    select
        *
        {%- for value in values %},
        case when {{ value }} is not null then array[read_s, turn, {{ value }}] end as {{ value }}_point
        {%- endfor %}
    from turns
),

last_points as (
    select
        *
        {%- for value in values %},
        max({{ value }}_point) over so_far as {{ value }}_last
        {%- endfor %}
    from points
    window so_far as ({{ so_far }})
),

-- What a reading outdoes when it becomes known: the last until then, or, where that is later, itself is outdone. The one
-- before is the last of all that were.
outdone_points as (
    select
        *
        {%- for value in values %},
        case when {{ value }}_point is not null and lag({{ value }}_last) over so_far is not null
            then least({{ value }}_point, lag({{ value }}_last) over so_far)
        end as {{ value }}_outdone
        {%- endfor %}
    from last_points
    window so_far as ({{ so_far }})
),

last_two as (
    select
        *
        {%- for value in values %},
        max({{ value }}_outdone) over so_far as {{ value }}_before
        {%- endfor %}
    from outdone_points
    window so_far as ({{ so_far }})
)
{%- endmacro %}

{# The order in which readings became known. #}
{% macro in_turn() -%}
    order by known_on, read_at, reading_id
{%- endmacro %}

{#
    Make room for the members of whom a reading became known within the window, or that it was none, named in a temporary
    table: whatever becomes known of a member is understood beside all that was.
#}
{% macro make_room_for_readers(readings, instant) -%}
    {%- if not keeps_its_past() -%}
        {{ delete_where('true') }}
    {%- else -%}
        create temporary table members_to_read on commit drop as
        select user_id from {{ this }} where known_on between {{ window_start() }} and {{ window_end() }}
        union
        select user_id from ({{ event_changes(readings, instant) }}) as changes;
        analyze members_to_read;
        delete from {{ this }} where user_id in (select user_id from members_to_read)
    {%- endif -%}
{%- endmacro %}

{# Whether the rows of a member are made by this run. Of few members: an array has their readings looked up by member. #}
{% macro is_to_be_read() -%}
    {{ 'user_id = any(array(select user_id from members_to_read))' if keeps_its_past() else 'true' }}
{%- endmacro %}
