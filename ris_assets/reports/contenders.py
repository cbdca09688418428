"""What is shown of contenders of either kind, side by side and window by window."""

from collections.abc import Mapping, Sequence

from ris_assets.evaluation.contender import Contender, loss_of

STEPS = ("log_loss", "auc", "brier", "calibration_in_the_large")


def metrics_table(
    contenders: Mapping[str, Contender], names: Sequence[str], decimals: int = 4
) -> str:
    """Those metrics that all have, side by side, as markdown; the loss that chooses first, with so many decimals."""
    everyone = list(contenders.values())
    shown = [name for name in names if all(name in one.metrics for one in everyone)]
    losses = [f"{loss_of(one):.{decimals}f}" for one in everyone]
    rows = [[name, *(f"{one.metrics[name]:.4f}" for one in everyone)] for name in shown]
    lines = [["metric", *contenders], ["log loss chosen by", *losses], *rows]
    head, *body = (f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([head, "|---" * (len(everyone) + 1) + "|", *body])


def backtest_steps(contender: Contender) -> dict[str, list[float]]:
    """Metrics by backtest window, the oldest first, as MLflow draws them."""
    table = contender.backtest
    shown = [name for name in STEPS if name in table.columns]
    return {f"backtest_{name}": table[name].reverse().to_list() for name in shown}
