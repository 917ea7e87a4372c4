"""The picture of a few word vectors in the plane in which they differ most."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.plot._matplotlib import families, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BESIDE = (  # where a word may stand, in points from its dot
    ((3, 2), "left"), ((3, -8), "left"), ((-3, 2), "right"), ((-3, -8), "right"),
    ((0, 5), "center"), ((0, -12), "center"),
)  # fmt: skip


def plane(vectors: ArrayLike) -> NDArray[np.float64]:
    """Return (n, 2): vectors on the two axes along which they differ most (PCA).

    Raises
    ------
    ValueError
        vectors are not (n, E) with n >= 2.
    """
    x = np.asarray(vectors, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"vectors must have shape (n, E) with n >= 2, got {x.shape}")
    centred = x - x.mean(axis=0)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    flat = np.zeros((len(x), 2))
    flat[:, : min(2, len(lengths))] = (left * lengths)[:, :2]
    return flat


def word_map(words: Sequence[str], vectors: ArrayLike, *, title: str = "") -> "Figure":
    """Draw words where their vectors lie, seen from where they differ most.

    Parameters
    ----------
    words : sequence of str
        n of them.
    vectors : array_like, (n, E)
        Those of the words; only directions count, each is divided by its length.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.
    ValueError
        There are fewer than two words, or not as many as vectors.

    References
    ----------
    K. Pearson, "On Lines and Planes of Closest Fit to Systems of Points in Space", 1901.

    Examples
    --------
    >>> from fastrnn.plot import word_map
    >>> figure = word_map(["one", "two", "red"], [[1, 0, 0], [0.9, 0.1, 0], [0, 0, 1]])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['one', 'two', 'red']
    """
    figure = require_matplotlib()(figsize=(9, 7), dpi=100, layout="constrained")
    rows = np.asarray(vectors, np.float64)
    if rows.ndim != 2 or len(rows) != len(words):
        raise ValueError(f"vectors must have shape ({len(words)}, E), got {rows.shape}")
    lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    places = plane(rows / np.where(lengths > 0, lengths, 1))
    axes = figure.add_subplot()
    axes.scatter(places[:, 0], places[:, 1], s=6, alpha=0.5)
    font: Any = {"fontfamily": families(), "fontsize": 8}
    axes.set(title=title, xlabel="first principal component", ylabel="second")
    axes.margins(x=0.1)
    axes.grid(alpha=0.25)
    figure.draw_without_rendering()  # places and sizes in pixels are known only then
    taken: list[Any] = []
    for word, (x, y) in zip(words, places.tolist(), strict=True):
        text = axes.annotate(word, (x, y), xytext=(3, 2), textcoords="offset points", **font)
        for place, side in _BESIDE:  # the first that hides no other word
            text.set(position=place, horizontalalignment=side)
            box = text.get_window_extent()
            if not box.count_overlaps(taken):
                break
        taken.append(box)
    return figure
