{#
    The exposure clock: what a pass covers, as known at the end of a day. The one place where freezes,
    cancellations, grace and early renewals are resolved; core_hp_period asks it for the horizon,
    user_week_metrics for Sundays, member_snapshot for its dates, interval_hp for the days before its weeks.

    A pass buys as many days as its nominal period has. Its corrected end is the day on which the last of
    them is used up, frozen days not counted; freezes that overlap, lie outside or fall into the extension
    need no rule of their own. An open freeze lasts until the as-of day. A cancelled pass ends on the day of
    its cancellation. A pass that was never paid, or called off before it began, covers nothing.

    as_of: a CTE with as_of_date and, where on_pass is true, the hp_id to resolve on that date. With still_open it
    also has open_since, and passes that can cover no day from then on are left out. members: a CTE (as_of_date, user_id)
    of those whose passes are asked for; by default everybody's. passes: a CTE of the versions of all these, where one is
    there.

    Emits the CTEs
        known_passes (as_of_date, hp_id)  the pass as known, with has_coverage
        frozen_spans (as_of_date, hp_id, frozen_from_on)  disjoint frozen spans of the covered time, with user_id
        pass_clock   (as_of_date, hp_id)  covering passes with hp_end_corrected and freeze_days
#}
{% macro exposure_clock(as_of, on_pass=false, still_open=false, members=none, passes=none) %}
known_passes as (
    select
        as_of.as_of_date,
        passes.hp_id,
        passes.user_id,
        passes.known_from_on,
        passes.purchased_on,
        passes.purchased_at,
        -- What was given back was not spent; until the cancellation it was.
        case
            when passes.payment_status = 'refunded' and passes.cancelled_on <= as_of.as_of_date then 0
            else passes.price
        end as spent,
        passes.currency,
        passes.starts_on,
        passes.ends_on,
        passes.ends_on - passes.starts_on + 1 as pass_days,
        case when passes.cancelled_on <= as_of.as_of_date then passes.cancelled_on end as cancelled_on,
        {{ has_coverage('passes', 'as_of.as_of_date') }} as has_coverage
    from {{ as_of }} as as_of
    inner join {{ passes or ref('int_hero_passes_versioned') }} as passes
        on {{ is_known('passes', 'as_of.as_of_date') }}
        {%- if on_pass %}
        and passes.hp_id = as_of.hp_id
        {%- endif %}
        {%- if still_open %}
        and passes.covers_at_most_until_on >= as_of.open_since
        {%- endif %}
    {%- if members %}
    inner join {{ members }} as members
        on as_of.as_of_date = members.as_of_date and passes.user_id = members.user_id
    {%- endif %}
),

known_freezes as (
    select
        passes.as_of_date,
        passes.hp_id,
        passes.user_id,
        passes.starts_on,
        passes.pass_days,
        passes.cancelled_on,
        greatest(freezes.starts_on, passes.starts_on) as frozen_from_on,
        least(
            coalesce(freezes.ends_on, passes.as_of_date),
            case when freezes.called_off_on <= passes.as_of_date then freezes.called_off_end_on end
        ) as frozen_to_on
    from known_passes as passes
    inner join {{ ref('int_freezes_versioned') }} as freezes
        on passes.hp_id = freezes.hp_id and {{ is_known('freezes', 'passes.as_of_date') }}
    where passes.has_coverage
),

freeze_order as (
    select
        *,
        max(frozen_to_on) over (
            partition by as_of_date, hp_id order by frozen_from_on, frozen_to_on
            rows between unbounded preceding and 1 preceding
        ) as frozen_before_to_on
    from known_freezes
    where frozen_from_on <= frozen_to_on
),

freeze_additions as (
    select
        as_of_date,
        hp_id,
        user_id,
        starts_on,
        pass_days,
        cancelled_on,
        greatest(frozen_from_on, frozen_before_to_on + 1) as frozen_from_on,
        frozen_to_on,
        greatest(frozen_to_on - greatest(frozen_from_on, frozen_before_to_on + 1) + 1, 0) as added_days
    from freeze_order
),

freezes_in_time as (
    select
        *,
        sum(added_days) over (
            partition by as_of_date, hp_id order by frozen_from_on, frozen_to_on
            rows between unbounded preceding and current row
        ) - added_days as days_added_before
    from freeze_additions
    where added_days > 0
),

-- A freeze counts when it begins before the last bought day is used up.
counted_freezes as (
    select * from freezes_in_time
    where frozen_from_on - starts_on - days_added_before < pass_days
),

extensions as (
    select as_of_date, hp_id, sum(added_days)::int as extension_days
    from counted_freezes
    group by as_of_date, hp_id
),

frozen_spans as (
    select
        as_of_date,
        hp_id,
        user_id,
        frozen_from_on,
        least(frozen_to_on, cancelled_on) as frozen_to_on
    from counted_freezes
    where frozen_from_on <= coalesce(cancelled_on, frozen_from_on)
),

freeze_totals as (
    select as_of_date, hp_id, sum(frozen_to_on - frozen_from_on + 1)::int as freeze_days
    from frozen_spans
    group by as_of_date, hp_id
),

pass_clock as (
    select
        passes.as_of_date,
        passes.hp_id,
        passes.user_id,
        passes.known_from_on,
        passes.purchased_on,
        passes.purchased_at,
        passes.spent,
        passes.currency,
        passes.starts_on,
        passes.pass_days,
        coalesce(freeze_totals.freeze_days, 0) as freeze_days,
        least(
            passes.starts_on + passes.pass_days - 1 + coalesce(extensions.extension_days, 0),
            passes.cancelled_on
        ) as hp_end_corrected
    from known_passes as passes
    left join extensions
        on passes.as_of_date = extensions.as_of_date and passes.hp_id = extensions.hp_id
    left join freeze_totals
        on passes.as_of_date = freeze_totals.as_of_date and passes.hp_id = freeze_totals.hp_id
    where passes.has_coverage
)
{%- endmacro %}

{#
    Covering passes in a row: what comes before and after each, and the spells they form. They are counted in the order
    in which they start; what follows a pass is the first to end after it. A pass is renewed with the first purchase of
    any that ends later, so that one bought ahead counts at once, a longer one takes over from a guest week within it,
    and what prolongs nothing renews nothing. A spell goes on while a pass begins before all earlier ones have ended, or
    is bought within the days of grace after.

    Emits the CTE pass_chain, from pass_clock.
#}
{% macro pass_chain() %}
{#- Of two that start together the first bought comes first: a trial and the pass bought after it on the same day. -#}
{%- set in_order = 'order by starts_on, purchased_on, purchased_at, hp_end_corrected, hp_id' %}
passes_in_order as (
    select
        *,
        row_number() over chain as pass_number,
        lag(hp_id) over chain as previous_hp_id,
        lag(hp_end_corrected) over chain as previous_end_on,
        min(purchased_on) over (chain rows between current row and unbounded following) as bought_from_here_on,
        first_value(purchased_on) over chain as first_purchased_on,
        first_value(starts_on) over chain as first_pass_on,
        max(hp_end_corrected) over (chain rows between unbounded preceding and 1 preceding) as covered_before_to_on,
        first_value(hp_id) over same_end as first_hp_id,
        first_value(starts_on) over same_end as first_starts_on
    from pass_clock
    window
        chain as (partition by as_of_date, user_id {{ in_order }}),
        same_end as (partition by as_of_date, user_id, hp_end_corrected {{ in_order }})
),

followed_passes as (
    select
        *,
        first_value(first_hp_id) over (ends groups between 1 following and 1 following) as next_hp_id,
        first_value(first_starts_on) over (ends groups between 1 following and 1 following) as next_starts_on,
        min(purchased_on) over (ends groups between 1 following and unbounded following) as renewed_on,
        min(known_from_on) over (ends groups between 1 following and unbounded following) as renewal_known_on
    from passes_in_order
    window ends as (partition by as_of_date, user_id order by hp_end_corrected)
),

spell_starts as (
    select
        *,
        covered_before_to_on is null
        or (
            starts_on > covered_before_to_on
            and bought_from_here_on > covered_before_to_on + {{ var('grace_days') }}
        ) as is_spell_start
    from followed_passes
),

numbered_spells as (
    select
        *,
        sum(is_spell_start::int) over (partition by as_of_date, user_id {{ in_order }})::int as spell_number,
        sum(spent::numeric) over (partition by as_of_date, user_id, currency {{ in_order }})::float8 as spent_so_far
    from spell_starts
),

pass_chain as (
    select
        *,
        user_id || ':' || spell_number as spell_id,
        min(starts_on) over (partition by as_of_date, user_id, spell_number) as spell_starts_on
    from numbered_spells
)
{%- endmacro %}

{#
    Days over which the chain of a member only grows, so that it need be made once, for the last of them. All that is told of
    passes known before them stands, and what is added starts after all that was told of by then, and was bought no earlier:
    cut where a pass is not known yet, the chain of the last day is the chain of each day, but for what follows a pass. That
    there is a renewal is known from renewal_known_on on.

    days: a CTE with as_of_date. versions: a CTE of those that may cover one of the days; of nobody else is anything asked.

    Emits the CTE growing_chains (as_of_date, user_id) with first_on, as_of_date being the last of the days.
#}
{% macro growing_chains(days, versions='versions') %}
days_in_order as (
    select as_of_date, lag(as_of_date) over (order by as_of_date) as previous_on
    from {{ days }}
),

-- What is told after one of the days is seen on the next.
told_days as (
    select
        previous_on + generate_series(1, as_of_date - previous_on) as told_on,
        previous_on,
        as_of_date as seen_on
    from days_in_order
),

told_passes as (
    select
        user_id,
        hp_id,
        known_from_on,
        known_until_on,
        cancelled_on,
        (
            starts_on > max(starts_on) over told_before
            and purchased_on >= max(purchased_on) over told_before
        ) is true as is_added
    from {{ ref('int_hero_passes_versioned') }}
    where user_id in (select user_id from {{ versions }})
        -- A run of the horizon alone asks of no day before it.
        and exists (select from {{ days }})
    window told_before as (
        partition by user_id order by known_from_on groups between unbounded preceding and 1 preceding
    )
),

told_freezes as (
    select
        passes.user_id,
        freezes.known_from_on,
        freezes.known_until_on,
        freezes.called_off_on,
        freezes.ends_on is null as is_open
    from told_passes as passes
    inner join {{ ref('int_freezes_versioned') }} as freezes on passes.hp_id = freezes.hp_id
),

told as (
    select user_id, known_from_on as told_on from told_passes
    where not is_added
    union all
    select user_id, known_until_on from told_passes
    union all
    select user_id, cancelled_on from told_passes
    where cancelled_on > known_from_on
    union all
    select user_id, unnest(array[known_from_on, known_until_on, called_off_on]) from told_freezes
    union all
    -- An open freeze is longer each day.
    select
        user_id,
        known_from_on + generate_series(
            1, least(known_until_on, called_off_on, (select max(as_of_date) from {{ days }})) - known_from_on
        )
    from told_freezes
    where is_open
),

chain_starts as (
    select told.user_id, told_days.seen_on as first_on, told_days.previous_on
    from told
    inner join told_days on told.told_on = told_days.told_on
    union
    select user_id, (select min(as_of_date) from {{ days }}), null::date
    from {{ versions }}
),

chains as (
    select
        user_id,
        first_on,
        coalesce(
            lead(previous_on) over (partition by user_id order by first_on),
            (select max(as_of_date) from {{ days }})
        ) as as_of_date
    from chain_starts
),

growing_chains as (
    select distinct chains.user_id, chains.first_on, chains.as_of_date
    from chains
    inner join {{ versions }} as passes
        on chains.user_id = passes.user_id
        and passes.known_from_on <= chains.as_of_date
        and chains.first_on < passes.known_until_on
        and passes.starts_on <= chains.as_of_date
        and chains.first_on <= passes.covers_at_most_until_on
)
{%- endmacro %}

{#
    What the weeks of each pass are made of, as a hash: all that says something of days up to its last, and when it is
    renewed. Passes and frozen days of the member say something from their first day on, as they are known now, and passes
    with their last. For what was known then, so does each version with the day on which it was known, and was no longer.
    While the hash is the same, so are the weeks before the one in which the pass ends.

    Emits the CTE pass_histories (hp_id) with weeks_hash, from pass_chain, frozen_spans and a CTE of the versions of passes.
#}
{% macro pass_histories(versions='versions') %}
{%- set on_both_days = 'cross join lateral (values (%s), (%s)) as said (from_on)' -%}
{%- set known_and_no_longer = on_both_days | format('known_from_on', 'known_until_on') -%}
first_versions as (
    select distinct on (user_id, hp_id) user_id, hp_id, ends_on
    from {{ versions }}
    order by user_id, hp_id, known_from_on
),

said as (
    -- Weeks before a pass was entered go by what was said of it at first.
    select
        passes.user_id,
        said.from_on,
        hash_record_extended(
            row(
                passes.hp_id,
                passes.purchased_on,
                passes.spell_id,
                passes.spell_starts_on,
                first_versions.ends_on,
                said.from_on
            ),
            1
        ) as said_hash
    from pass_chain as passes
    inner join first_versions on passes.user_id = first_versions.user_id and passes.hp_id = first_versions.hp_id
    {{ on_both_days | format('passes.starts_on', 'passes.hp_end_corrected') }}
    union all
    select user_id, frozen_from_on, hash_record_extended(row(hp_id, frozen_from_on, frozen_to_on), 2)
    from frozen_spans
    union all
    select
        versions.user_id,
        said.from_on,
        hash_record_extended(
            row(
                versions.hp_id,
                versions.starts_on,
                versions.ends_on,
                versions.cancelled_on,
                versions.payment_status,
                said.from_on
            ),
            3
        )
    from {{ versions }} as versions
    {{ known_and_no_longer }}
    union all
    select
        passes.user_id,
        said.from_on,
        hash_record_extended(
            row(
                freezes.hp_id,
                freezes.starts_on,
                freezes.ends_on,
                freezes.called_off_on,
                freezes.called_off_end_on,
                said.from_on
            ),
            4
        )
    from first_versions as passes
    inner join {{ ref('int_freezes_versioned') }} as freezes on passes.hp_id = freezes.hp_id
    {{ known_and_no_longer }}
),

said_and_asked as (
    select user_id, from_on, said_hash, null as hp_id, null::date as renewed_on
    from said
    union all
    select user_id, hp_end_corrected, null, hp_id, renewed_on
    from pass_chain
),

said_until_then as (
    select hp_id, renewed_on, sum(said_hash) over (partition by user_id order by from_on) as said_hash
    from said_and_asked
),

pass_histories as (
    select
        hp_id,
        hash_record_extended(row(said_hash, renewed_on, {{ var('grace_days') }}), 5)::text as weeks_hash
    from said_until_then
    where hp_id is not null
)
{%- endmacro %}

{# Whether a version of a pass says, at the end of a day, that it covers anything at all. #}
{% macro has_coverage(passes, day) -%}
    {{ passes }}.starts_on <= {{ passes }}.ends_on
        and ({{ passes }}.cancelled_on is null
            or {{ passes }}.cancelled_on > {{ day }}
            or {{ passes }}.cancelled_on >= {{ passes }}.starts_on)
        and (coalesce({{ passes }}.payment_status, 'paid') = 'paid'
            -- Refunded without a day of cancellation: it is not known to have covered anything.
            or ({{ passes }}.payment_status = 'refunded'
                and coalesce(
                    {{ passes }}.cancelled_on > {{ day }} or {{ passes }}.cancelled_on >= {{ passes }}.starts_on,
                    false
                )))
{%- endmacro %}

{# Whether a pass of core_hp_period that was open when its row was made is no longer, grace being over. #}
{% macro has_outlived_grace() -%}
    how_ended = 'open' and hp_end_corrected <= {{ horizon() }} - {{ var('grace_days') }}
{%- endmacro %}

{# Days after the end of a pass by which labels ask for the next. #}
{% macro label_days() -%}
    {{ return([30, 60, 90]) }}
{%- endmacro %}

{# Whether a day of a label was ahead when its row was made and is over now. #}
{% macro has_matured() -%}
    {%- for days in label_days() -%}
    {{ 'or ' if not loop.first }}not matured_{{ days }}d and matures_{{ days }}d_on <= {{ horizon() }} {% endfor -%}
{%- endmacro %}

{#
    Emits the CTE periods (document_hp_id, hp_id): a subscription that renews itself is one document and many passes, hp_id,
    hp_id:2, hp_id:3, and which of them its freezes may touch.
#}
{% macro freeze_periods() -%}
renewed as (
    select distinct user_id, left(hp_id, -2) as hp_id
    from {{ ref('stg_hero_passes__versions') }}
    where hp_id like '%:2'
),

{{ longest_freezes(ref('stg_freezes__versions'), 'renewed') }},

periods as (
    select
        renewed.hp_id as document_hp_id,
        passes.hp_id,
        min(passes.starts_on) as starts_on,
        max(passes.ends_on) + min(longest_freezes.freeze_days) as covers_at_most_until_on
    from renewed
    inner join longest_freezes on renewed.hp_id = longest_freezes.hp_id
    inner join {{ ref('stg_hero_passes__versions') }} as passes
        on renewed.user_id = passes.user_id
        and (passes.hp_id = renewed.hp_id or starts_with(passes.hp_id, renewed.hp_id || ':'))
    group by renewed.hp_id, passes.hp_id
)
{%- endmacro %}

{#
    Emits the CTE longest_freezes (hp_id): of some passes, the days of freezes of any version, known whenever; null where one
    is open.
#}
{% macro longest_freezes(freezes, passes) -%}
longest_freezes as (
    select
        hp_id,
        case when bool_and(ends_on is not null) then sum(greatest(ends_on - starts_on + 1, 0))::int end as freeze_days
    from {{ freezes }}
    where hp_id in (select {{ passes }}.hp_id from {{ passes }})
    group by hp_id
)
{%- endmacro %}

{# A day that no resolution of a pass's freezes can pass, beside its longest_freezes. #}
{% macro covers_at_most_until_on(passes) -%}
    case
            when longest_freezes.hp_id is null then {{ passes }}.ends_on
            else coalesce({{ passes }}.ends_on + longest_freezes.freeze_days, date '9999-12-31')
        end
{%- endmacro %}
