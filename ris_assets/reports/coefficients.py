"""What the logistic baseline says of each column, for people to read."""

import polars as pl

from ris_assets.evaluation.plots import BLUE, RED, figure_of, png_of

TOP = 15


def coefficients_plot(table: pl.DataFrame, title: str) -> bytes:
    """The largest coefficients (see `LogisticRenewal.coefficients`), largest on top; red lowers the chance to renew."""
    shown = table.head(TOP).reverse()
    names = [
        column if reading == "value" else f"{column} ({reading})"
        for column, reading in shown["column", "reading"].iter_rows()
    ]
    colours = [BLUE if sign == "+" else RED for sign in shown["sign"]]
    figure, axes = figure_of(6.5, 0.8 + 0.27 * max(shown.height, 4))
    axes.barh(names, shown["coefficient"], color=colours)
    axes.axvline(0, color="0.5", linewidth=1)
    axes.set(xlabel="log odds of renewing, per standard deviation", title=title)
    return png_of(figure)
