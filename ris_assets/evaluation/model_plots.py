"""Plots of models that a person looks at, as PNG bytes: order, lift, curves, contributions, hazard ratios."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from ris_assets.evaluation.plots import BLUE, GREY, figure_of, png_of

Array = np.ndarray
BAND_COLOURS = {"low": "#2a6f97", "medium": "#e9c46a", "high": "#f4a261", "critical": "#c1121f"}
STRONGEST = 10
MAX_DOTS = 1500


def order_plot(outcome: Array, predicted: Array, title: str) -> bytes:
    """ROC and precision-recall curves side by side."""
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve
    from sklearn.metrics import roc_auc_score as auc

    figure, (left, right) = figure_of(8.5, 4.0, 2)
    false, true, _ = roc_curve(outcome, predicted)
    left.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    left.plot(false, true, color=BLUE)
    left.set(
        xlabel="share of the others that is named, too",
        ylabel="share of the losses that is named",
        title=f"AUC {auc(outcome, predicted):.3f}",
    )
    precision, recall, _ = precision_recall_curve(outcome, predicted)
    right.axhline(outcome.mean(), color=GREY, linewidth=1)
    right.plot(recall, precision, color=BLUE)
    found = average_precision_score(outcome, predicted)
    right.set(
        xlabel="recall: share of the losses that is named",
        ylabel="precision: share of the named that is lost",
        ylim=(0, 1.02),
        title=f"average precision {found:.3f}",
    )
    figure.suptitle(title)
    return png_of(figure)


def lift_plot(lift: pl.DataFrame, title: str) -> bytes:
    """Share lost by decile of risk against that of all, and the share of all losses found by calling so many."""
    figure, (left, right) = figure_of(8.5, 3.8, 2)
    left.bar(lift["decile"], lift["lift"], color=BLUE)
    left.axhline(1, color=GREY, linewidth=1)
    left.set(
        xlabel="decile of risk, riskiest first",
        ylabel="lift: share lost, that of all being 1",
        xticks=lift["decile"],
    )
    called = np.concatenate([[0.0], (lift["members"].cum_sum() / lift["members"].sum()).to_numpy()])
    right.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    right.plot(
        called,
        np.concatenate([[0.0], lift["gain"].to_numpy()]),
        color=BLUE,
        marker="o",
        markersize=3,
    )
    right.set(xlabel="share of members called", ylabel="share of losses found")
    figure.suptitle(title)
    return png_of(figure)


def band_curves_plot(curves: Mapping[str, Array], sizes: Mapping[str, int], title: str) -> bytes:
    """Mean survival curve of the members of each band, by weeks ahead."""
    figure, axes = figure_of(5.5, 3.8)
    for band, curve in curves.items():
        weeks = np.arange(len(curve) + 1)
        label = f"{band} ({sizes[band]:,})"
        axes.step(
            weeks,
            np.concatenate([[1.0], curve]),
            where="post",
            color=BAND_COLOURS.get(band, BLUE),
            label=label,
        )
    axes.set(xlabel="weeks ahead", ylabel="share still in their spell", ylim=(0, 1.02), title=title)
    axes.legend()
    return png_of(figure)


def brier_plot(scores: pl.DataFrame, title: str) -> bytes:
    """Brier score by weeks ahead (`weeks`, `model`, `base_rate`)."""
    figure, axes = figure_of(5.0, 3.4)
    axes.plot(scores["weeks"], scores["base_rate"], color=GREY, marker="s", label="base rate")
    axes.plot(scores["weeks"], scores["model"], color=BLUE, marker="o", label="model")
    axes.set(xlabel="weeks ahead", ylabel="Brier score", ylim=(0, None), title=title)
    axes.legend()
    return png_of(figure)


def contributions_plot(
    names: Sequence[str], parts: Array, values: Array, title: str, to: str
) -> bytes:
    """What the strongest features add, a dot a row, coloured from low (blue) to high (red) values.

    Args:
        parts, values: (rows, features), the strongest feature first.
        to: what they add to.
    """
    shown = min(STRONGEST, len(names))
    rng = np.random.default_rng(7)
    rows = rng.permutation(len(parts))[:MAX_DOTS]
    figure, axes = figure_of(7.0, 0.9 + 0.42 * max(shown, 3))
    for place in range(shown):
        height = shown - 1 - place + 0.32 * (rng.random(len(rows)) - 0.5) * 2
        axes.scatter(
            parts[rows, place],
            height,
            s=5,
            c=_ranks(values[rows, place]),
            cmap="coolwarm",
            vmin=0,
            vmax=1,
        )
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(range(shown), list(names[:shown])[::-1])
    axes.set(xlabel=f"adds to {to}", title=title)
    if shown:
        key = figure.colorbar(axes.collections[0], ax=axes, ticks=[0, 1])
        key.set_ticklabels(["low", "high"])
        key.set_label("value of the feature, by rank (grey: a text, or unknown)")
    return png_of(figure)


def dependence_plot(
    names: Sequence[str], parts: Array, values: Array, title: str, to: str
) -> bytes:
    """What each of the strongest features adds, against its value; those without a number are left out."""
    told = [place for place in range(len(names)) if not np.isnan(values[:, place]).all()]
    names, parts, values = [names[place] for place in told], parts[:, told], values[:, told]
    shown = min(STRONGEST, len(names))
    columns = min(5, max(shown, 1))
    lines = -(-shown // columns) or 1
    rows = np.random.default_rng(7).permutation(len(parts))[:MAX_DOTS]
    figure, panels = figure_of(2.6 * columns, 2.4 * lines, columns, lines)
    for place, axes in enumerate(np.ravel(panels)):
        if place >= shown:
            axes.axis("off")
            continue
        axes.scatter(values[rows, place], parts[rows, place], s=4, color=BLUE, alpha=0.4)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_title(names[place], fontsize=8)
        axes.tick_params(labelsize=7)
    figure.suptitle(title)
    figure.supxlabel("value of the feature, in its unit of the catalogue", fontsize=9)
    figure.supylabel(f"adds to {to}", fontsize=9)
    return png_of(figure)


def forest_plot(table: pl.DataFrame, title: str) -> bytes:
    """Hazard ratios per standard deviation with intervals (feature, ratio, low, high), on a logarithmic scale."""
    figure, axes = figure_of(6.5, 0.9 + 0.3 * max(table.height, 3))
    places = np.arange(table.height)[::-1]
    ratio, low, high = (table[name].to_numpy() for name in ("ratio", "low", "high"))
    axes.errorbar(
        ratio, places, xerr=[ratio - low, high - ratio], fmt="o", color=BLUE, markersize=4
    )
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.set_yticks(places, table["feature"].to_list())
    axes.set(xlabel="hazard ratio of leaving, per standard deviation", title=title)
    return png_of(figure)


def learning_plot(curve: pl.DataFrame, base: float, title: str) -> bytes:
    """Out-of-time log loss by number of members in training; the base rate as a line."""
    figure, axes = figure_of(5.0, 3.4)
    axes.plot(curve["members"], curve["log_loss"], color=BLUE, marker="o")
    axes.axhline(base, color=GREY, linewidth=1, linestyle="--", label="base rate")
    axes.set(xlabel="members in training", ylabel="log loss, out of time", title=title)
    axes.legend()
    return png_of(figure)


def segment_plot(curves: pl.DataFrame, title: str) -> bytes:
    """Kaplan-Meier curves by segment (segment, time, survival, low, high)."""
    figure, axes = figure_of(6.0, 4.0)
    colours = (
        "#2a6f97",
        "#c1121f",
        "#e9a03b",
        "#588157",
        "#6d597a",
        "#8d99ae",
        "#bc6c25",
        "#14213d",
    )
    for place, (name, part) in enumerate(curves.group_by("segment", maintain_order=True)):
        colour = colours[place % len(colours)]
        times = np.concatenate([[0.0], part["time"].to_numpy()])
        curve = np.concatenate([[1.0], part["survival"].to_numpy()])
        axes.step(times, curve, where="post", color=colour, label=str(name[0]))
        axes.fill_between(
            part["time"], part["low"], part["high"], step="post", color=colour, alpha=0.12
        )
    axes.set(
        xlabel="weeks since the spell began",
        ylabel="share still in their spell",
        ylim=(0, 1.02),
        title=title,
    )
    axes.legend(fontsize=7)
    return png_of(figure)


def _ranks(values: Array) -> Array:
    """Ranks between 0 and 1; unknown values in the middle."""
    known = ~np.isnan(values)
    ranks = np.full(len(values), 0.5)
    if known.any():
        order = np.unique(values[known], return_inverse=True)[1].astype(float)
        ranks[known] = order / max(order.max(), 1.0)
    return ranks


def matrix_of(rows: pl.DataFrame, names: Sequence[str]) -> Array:
    """(rows, features) numbers of catalogue features: a text, or one that has no column of its name, is unknown."""
    unknown = np.full(rows.height, np.nan)
    columns = [
        rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        if name in rows.columns and rows.schema[name] != pl.String
        else unknown
        for name in names
    ]
    return np.column_stack(columns) if columns else np.empty((rows.height, 0))
