"""The pictures of a run. Each is a matplotlib figure without a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_curve

from sensors.series import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def precision_over_recall(is_fault: NDArray[np.bool_], score: FloatArray) -> Figure:
    figure, axes = _empty("precision over recall")
    precision, recall, _ = precision_recall_curve(is_fault, score)
    axes.step(recall, precision, where="post")
    axes.axhline(is_fault.mean(), linestyle=":", label="without a model")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend()
    return figure


def confusion(true: Sequence[str], said: Sequence[str], names: Sequence[str]) -> Figure:
    figure, axes = _empty("rows: what it is; columns: what is said")
    counts = confusion_matrix(true, said, labels=list(names))
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() / 2
        axes.text(column, row, str(count), ha="center", color="white" if dark else "black")
    return figure


def importance(columns: Sequence[str], shares: FloatArray) -> Figure:
    """The twenty most important columns."""
    figure, axes = _empty("importance of the features")
    order = np.argsort(shares)[::-1][:20]
    axes.barh([columns[row] for row in order], shares[order])
    axes.invert_yaxis()
    return figure


def to_failure(curves: Mapping[str, tuple[FloatArray, FloatArray]], level: float) -> Figure:
    """name -> (hours before the end, index); level: where an alarm begins."""
    figure, axes = _empty("health until the end")
    for name, (hours, index) in curves.items():
        axes.plot(-hours, index, label=name, linewidth=0.9)
    axes.axhline(level, linestyle=":", color="black", label="alarm")
    axes.set(xlabel="hours before the end", ylabel="index", yscale="symlog")
    axes.legend()
    return figure


def against(true: FloatArray, said: FloatArray, what: str) -> Figure:
    figure, axes = _empty(what)
    axes.scatter(true, said, s=8)
    axes.axline((0, 0), slope=1, linestyle=":")
    axes.set(xlabel="true", ylabel="said")
    return figure


def _empty(title: str) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes
