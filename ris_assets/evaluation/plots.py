"""Small plots as PNG bytes, and frames and plots as markdown. No global figure is opened."""

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 15
DOTS_PER_INCH = 90
BLUE, RED, GREY = "#2a6f97", "#c1121f", "0.7"


def reliability_plot(bins: pl.DataFrame, title: str) -> bytes:
    """Observed against predicted share with its 95% interval; the area of a dot is the weight of its bin."""
    figure, axes = figure_of(4.5, 4.2)
    area = 20 + 180 * bins["passes"] / (bins["passes"].max() or 1)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    if "observed_low" in bins.columns:
        below = (bins["observed_share"] - bins["observed_low"]).clip(0)
        spread = [below, (bins["observed_high"] - bins["observed_share"]).clip(0)]
        axes.errorbar(
            bins["predicted_share"], bins["observed_share"], yerr=spread, fmt="none", ecolor=GREY
        )
    axes.plot(bins["predicted_share"], bins["observed_share"], color=BLUE, linewidth=1)
    axes.scatter(bins["predicted_share"], bins["observed_share"], s=area, color=BLUE, alpha=0.7)
    said, seen = "predicted share", "observed share, 95% interval"
    axes.set(xlabel=said, ylabel=seen, xlim=(0, 1), ylim=(0, 1), title=title)
    return png_of(figure)


def importance_plot(importance: Mapping[str, float], title: str) -> bytes:
    """The most important features, largest on top."""
    top = list(importance.items())[:TOP][::-1]
    figure, axes = figure_of(5.5, 0.6 + 0.27 * max(len(top), 4))
    axes.barh([name for name, _ in top], [share for _, share in top], color=BLUE)
    axes.set(xlabel="share of importance", title=title)
    return png_of(figure)


def horizon_plot(
    predicted: Mapping[int, float], observed: Mapping[int, float], title: str
) -> bytes:
    """Share of spells still going on by weeks ahead, predicted and observed."""
    figure, axes = figure_of(4.5, 3.4)
    axes.plot(list(predicted), list(predicted.values()), marker="o", color=BLUE, label="predicted")
    axes.plot(list(observed), list(observed.values()), marker="s", color=RED, label="observed")
    axes.set(xlabel="weeks ahead", ylabel="share still in their spell", ylim=(0, 1), title=title)
    axes.set_xticks(list(predicted))
    axes.legend()
    return png_of(figure)


def as_markdown(png: bytes, alt: str) -> str:
    """The plot as a markdown image that needs no file."""
    return f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})"


def drift_plot(stats: pl.DataFrame, limit: float, title: str) -> bytes:
    """Population stability index of features, the most moved on top; the limit as a line."""
    shown = stats.reverse()
    colours = {"ok": "#2a6f97", "warn": "#e9a03b", "fail": "#c8553d"}
    figure, axes = figure_of(6.5, 0.8 + 0.27 * max(shown.height, 4))
    bars = axes.barh(shown["feature"], shown["psi"], color=[colours[s] for s in shown["status"]])
    line = axes.axvline(limit, color="0.5", linewidth=1, linestyle="--")
    told = dict(zip(shown["status"], bars, strict=True)) | {f"{limit:g}, chance not added": line}
    axes.legend(told.values(), told.keys(), loc="lower right")
    axes.set(xlabel="population stability index", title=title)
    return png_of(figure)


def volume_plot(days: pl.DataFrame, title: str) -> bytes:
    """What was counted day by day (`day`, `count`), the last day and its weekday marked."""
    figure, axes = figure_of(6.5, 3.0)
    axes.plot(days["day"], days["count"], color="0.6", linewidth=1)
    last = days["day"][-1]
    same = days.filter(pl.col("day").dt.weekday() == last.isoweekday())
    axes.scatter(same["day"], same["count"], color=BLUE, s=16, zorder=3, label=f"every {last:%A}")
    axes.scatter([last], [days["count"][-1]], color="#c8553d", s=28, zorder=4, label="the last day")
    axes.set(ylabel="documents a day", title=title, ylim=(0, None))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    axes.tick_params(axis="x", rotation=30)
    return png_of(figure)


def as_table(frame: pl.DataFrame) -> str:
    """A small frame as a markdown table."""
    with pl.Config(
        fmt_float="full",
        tbl_formatting="MARKDOWN",
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_cols=-1,
        tbl_rows=30,
        tbl_width_chars=1000,
        fmt_str_lengths=120,
    ):
        return str(frame.with_columns(cs.float().round_sig_figs(5)))


def figure_of(width: float, height: float, columns: int = 1, rows: int = 1) -> tuple[Any, Any]:
    """A figure that belongs to nobody but its caller, and its axes: one, or an array."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns)


def png_of(figure: "Figure") -> bytes:
    """The figure drawn by Agg: once, where `savefig` draws it a first time to lay it out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    figure.set_dpi(DOTS_PER_INCH)
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
