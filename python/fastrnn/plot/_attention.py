"""The attention heat map: the weight of each source symbol for each target symbol."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.plot._matplotlib import families, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LABELS = 120  # more could not be read


def attention(
    weights: ArrayLike,
    source: Sequence[str] | None = None,
    target: Sequence[str] | None = None,
    *,
    title: str = "",
) -> "Figure":
    """Draw attention weights as a heat map, the source along the top, the target downwards.

    Parameters
    ----------
    weights : array_like, (T, S)
        Of each target symbol over the source: ``translate(…, return_attention=True).attention``.
    source, target : sequence of str or None
        What the S columns and the T rows are called; None: their numbers.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        Dark is 1, white is 0.

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.
    ValueError
        weights have no such shape or are outside of 0..1, or there is another number of names.

    References
    ----------
    D. Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate",
    2015, figure 3.

    Examples
    --------
    >>> from fastrnn.plot import attention
    >>> axes = attention([[0.9, 0.1], [0.2, 0.8]], "ab", "BA").axes[0]
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['B', 'A']
    """
    figure_class = require_matplotlib()
    array = np.asarray(weights, np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"weights must have shape (T, S), got {array.shape}")
    if not ((array >= 0) & (array <= 1 + 1e-6)).all():
        raise ValueError("weights must lie in 0..1")
    T, S = array.shape
    for name, names, size in (("source", source, S), ("target", target, T)):
        if names is not None and len(names) != size:
            raise ValueError(f"{name} must have {size} names as weights, got {len(names)}")
    width, height = (min(max(2.5 + 0.28 * n, 4), 14) for n in (S, T))
    figure = figure_class(figsize=(width, height), dpi=120, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        array, aspect="auto", interpolation="nearest", cmap="Greys", vmin=0, vmax=1
    )
    axes.xaxis.tick_top()
    family = families()
    long = max((len(name) for name in source or [""]), default=1) > 2
    for axis, names, size, turn in (
        (axes.xaxis, source, S, 90 if long else 0), (axes.yaxis, target, T, 0)
    ):  # fmt: skip
        if names is not None and size <= _MOST_LABELS:
            shown = [name if name.strip() else "␣" for name in names]
            axis.set_ticks(range(size), labels=shown, rotation=turn, fontfamily=family, fontsize=9)
    axes.set(xlabel="source", ylabel="target")
    axes.xaxis.set_label_position("top")
    axes.set_title(title, fontfamily=family)
    figure.colorbar(image, ax=axes, shrink=0.7, label="weight")
    return figure
