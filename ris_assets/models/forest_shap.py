"""TreeSHAP of a random forest: XGBoost has it for its own trees, so the forest is written down as one of its models."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ris_assets.models.protocol import Array

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

NO_PARENT = 2**31 - 1


def forest_shares(forest: "RandomForestClassifier", matrix: Array, threads: int = 1) -> Array:
    """(rows, columns + 1): what each column adds to P(1), the forest's mean last (Lundberg et al. 2018)."""
    import xgboost

    booster = as_booster(forest, threads)
    rows = xgboost.DMatrix(matrix.astype(np.float32), missing=np.nan, nthread=threads)
    return booster.predict(rows, pred_contribs=True).astype(float)


def as_booster(forest: "RandomForestClassifier", threads: int = 1) -> Any:
    """A booster that says of every row what the forest says."""
    import xgboost

    blank = np.zeros((2, forest.n_features_in_), dtype=np.float32)
    settings = {"objective": "reg:squarederror", "base_score": 0.0, "nthread": threads}
    whole = json.loads(
        xgboost.train(settings, xgboost.DMatrix(blank, label=[0.0, 0.0]), 1).save_raw("json")
    )
    model = whole["learner"]["gradient_booster"]["model"]
    (template,) = model["trees"]
    count = len(forest.estimators_)
    model["trees"] = [
        {**template, **_tree(one.tree_, count), "id": number,
         "tree_param": {**template["tree_param"], "num_nodes": str(one.tree_.node_count)}}
        for number, one in enumerate(forest.estimators_)
    ]  # fmt: skip
    model["gbtree_model_param"]["num_trees"] = str(count)
    model["iteration_indptr"], model["tree_info"] = list(range(count + 1)), [0] * count
    return xgboost.Booster({"nthread": threads}, model_file=bytearray(json.dumps(whole).encode()))


def _tree(tree: Any, count: int) -> dict[str, list]:
    """A tree's nodes as XGBoost writes them: a right child stands next to its left one."""
    order = _side_by_side(tree)
    place = np.empty(tree.node_count, dtype=int)
    place[order] = np.arange(tree.node_count)
    left, right = tree.children_left[order], tree.children_right[order]
    leaf = left < 0
    left, right = np.where(leaf, -1, place[left]), np.where(leaf, -1, place[right])
    parents = np.full(tree.node_count, NO_PARENT)
    parents[left[~leaf]] = parents[right[~leaf]] = np.flatnonzero(~leaf)
    value = tree.value[order, 0, :]
    share = value[:, 1] / value.sum(axis=1)
    nothing = np.zeros(tree.node_count)
    found = {
        "left_children": left, "right_children": right, "parents": parents,
        "split_indices": np.maximum(tree.feature[order], 0),
        "split_conditions": np.where(leaf, share / count, _next_above(tree.threshold[order])),
        "default_left": tree.missing_go_to_left[order].astype(int), "base_weights": share,
        "sum_hessian": tree.weighted_n_node_samples[order],
        "loss_changes": nothing, "split_type": nothing.astype(int),
    }  # fmt: skip
    return {name: values.tolist() for name, values in found.items()}


def _side_by_side(tree: Any) -> Array:
    """The nodes level by level."""
    order = [0]
    for node in order:
        if tree.children_left[node] >= 0:
            order += [tree.children_left[node], tree.children_right[node]]
    return np.array(order)


def _next_above(threshold: Array) -> Array:
    """The least single above each number: XGBoost goes left below a threshold, scikit-learn up to it."""
    near = threshold.astype(np.float32)
    above = np.where(near > threshold, near, np.nextafter(near, np.float32(np.inf)))
    return above.astype(float)
