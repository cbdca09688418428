"""A source's profile and drafted map as one HTML page that needs no network."""

from jinja2 import Environment

from ris_assets.extract.profiling.draft import EntityGuess
from ris_assets.extract.profiling.explore import SourceProfile
from ris_assets.extract.profiling.report import (
    count_text,
    distinct_text,
    problem_text,
    profiled_text,
    range_text,
    size_text,
)

_COLOURS = {
    "objectId": "#7c6bb0", "uuid": "#7c6bb0", "uuid (legacy)": "#9a8bc7", "dbRef": "#9a8bc7",
    "string": "#4f8a5b", "int": "#c07a2c", "long": "#cf9350", "double": "#b5642a", "decimal": "#a8551c",
    "date": "#3477a8", "timestamp": "#5b93bd", "bool": "#b04a6f", "object": "#8a8f98", "array": "#a8adb5",
}  # fmt: skip
_OTHER_COLOUR = "#55595f"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>What is in the source</title>
<style>
:root { --ink: #22262b; --soft: #6a717b; --line: #e3e6ea; --tint: #f6f7f9; --accent: #3477a8; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1320px; color: var(--ink); background: #fff;
       font: 14px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; }
h2 { font-size: 1.2rem; margin: 0; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
section { margin-top: 2.2rem; }
summary { cursor: pointer; padding: .5rem 0; display: flex; gap: 1rem; align-items: baseline; }
summary::before { content: "▸"; color: var(--soft); } details[open] > summary::before { content: "▾"; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: 12px; color: var(--soft); background: var(--tint); position: sticky; top: 0; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, .path, .ex { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 12.5px; }
.path { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 11rem; }
.ex { color: #414850; overflow-wrap: anywhere; } .ex span { display: inline-block; background: var(--tint);
      border-radius: 3px; padding: 0 .35rem; margin: 0 .2rem .2rem 0; }
.bar { display: flex; height: 9px; width: 110px; border-radius: 3px; overflow: hidden; background: var(--line); }
.bar i { display: block; height: 100%; }
.types { font-size: 12px; color: var(--soft); white-space: nowrap; }
.to { font: 12.5px ui-monospace, Menlo, Consolas, monospace; white-space: nowrap; }
table.short { width: auto; } table.short th, table.short td { padding-right: 1.6rem; }
td.mid { vertical-align: middle; }
.tag { font-size: 11px; border-radius: 3px; padding: 0 .35rem; background: #f7e4ea; color: #8c2f52; }
.warn { color: #9a4b00; } a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
</style>
</head>
<body>
{% macro bar(share, colour) %}
<div class="bar"><i style="width: {{ width(share) }}; background: {{ colour }}"></i></div>
{% endmacro %}
{% macro type_bar(shares) %}
<div class="bar">
{% for name, share in shares.items() %}
<i style="width: {{ width(share) }}; background: {{ colours.get(name, other) }}"></i>
{% endfor %}
</div>
<div class="types">
{% for name, share in shares.items() %}
{{ name }}{{ " " ~ percent(share) if share < 1 }}{{ ", " if not loop.last }}
{% endfor %}
</div>
{% endmacro %}
<h1>What is in the source</h1>
<p class="soft">{{ about }}</p>

<section>
<h2>Collections</h2>
<table class="short">
<tr><th>collection</th><th class="n">documents</th><th class="n">size</th><th class="n">looked at</th>
<th class="n">paths</th><th>indexes</th></tr>
{% for one in profile.collections %}
<tr><td><a class="path" href="#c{{ loop.index }}">{{ one.name }}</a></td>
<td class="n">{{ count(one.documents) }}</td><td class="n">{{ size(one.size_bytes) }}</td>
<td class="n">{{ count(one.sampled) }}</td>
<td class="n">{{ count(one.fields|length + one.further_paths) }}</td>
<td class="soft">{{ one.indexes|join(", ") }} <span class="warn">{{ one.problem or "" }}</span></td></tr>
{% endfor %}
</table>
</section>

<section>
<h2>Drafted source map</h2>
<p class="soft">Guesses to be checked; the draft itself, with every field, is in source_map.draft.yaml.</p>
<table class="short">
<tr><th>entity</th><th>where</th><th>confidence</th><th></th><th class="n">fields</th><th>not found</th></tr>
{% for guess in guesses %}
<tr><td><code>{{ guess.entity }}</code></td>
{% if guess.frame %}
<td class="path">{{ guess.frame.place }}</td>
<td class="mid">{{ bar(guess.confidence, "#4f8a5b" if guess.is_active else "#c9a227") }}</td>
<td class="n">{{ "%.2f" % guess.confidence }}</td><td class="n">{{ guess.fields|length }}</td>
<td class="soft">{{ guess.missing|join(", ") }}</td></tr>
{% else %}
<td class="soft">nothing like it</td><td></td><td></td><td></td><td></td></tr>
{% endif %}
{% endfor %}
</table>
</section>

{% for one in profile.collections %}
<section id="c{{ loop.index }}">
<details open><summary><h2>{{ one.name }}</h2>
<span class="soft">{{ count(one.documents) }} documents, {{ size(one.size_bytes) }}</span></summary>
<p class="warn">{{ problem(one) }}</p>
<table>
<tr><th>path</th><th>types</th><th>fill</th><th class="n">distinct</th><th>range</th>
<th>refers to</th><th>examples</th></tr>
{% for field in one.fields[:most] %}
<tr><td class="path">{{ field.path }}
{% if field.is_personal %}<span class="tag">personal</span>{% endif %}</td>
<td>{{ type_bar(field.type_shares) }}</td>
<td>{{ bar(field.fill, "#7d8791") }}
<div class="types">{{ percent(field.fill) }}
{% if field.nulls %}, null {{ percent(field.nulls / field.parents) }}{% endif %}</div></td>
<td class="n">{{ distinct(field) }}</td><td>{{ range(field) }}</td>
<td>
{% for one in field.references %}
<div class="to">{{ one.collection }}.{{ one.path }} <span class="soft">{{ percent(one.share) }}</span></div>
{% endfor %}
</td>
<td class="ex">{% for example in field.examples %}<span>{{ example }}</span>{% endfor %}</td></tr>
{% endfor %}
</table>
{% if one.fields|length > most %}
<p class="warn">{{ count(one.fields|length - most) }} more paths are in profile.json.</p>
{% endif %}
</details>
</section>
{% endfor %}
</body>
</html>
"""
_MOST_ROWS = 2_000


def profile_html(profile: SourceProfile, guesses: list[EntityGuess]) -> str:
    """The page; everything that comes from the source is escaped."""
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_PAGE)
    return template.render(
        profile=profile,
        guesses=guesses,
        about=profiled_text(profile),
        count=count_text,
        size=size_text,
        distinct=distinct_text,
        range=range_text,
        problem=problem_text,
        percent=_percent,
        width=lambda share: f"{100 * share:.1f}%",
        colours=_COLOURS,
        other=_OTHER_COLOUR,
        most=_MOST_ROWS,
    )


def _percent(share: float) -> str:
    """A share that is neither 0 nor 1 never reads as if it were."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 < share < 1 else f"{share:.0%}"
