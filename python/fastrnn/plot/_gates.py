"""A picture of gates over time; `fastrnn.plot` offers it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.plot._matplotlib import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GATES = {1: ("h",), 3: ("r", "z", "n"), 4: ("i", "f", "g", "o")}


def gate_activations(
    gates: ArrayLike, *, row: int = 0, symbols: Sequence[str] | None = None, title: str = ""
) -> "Figure":
    """Draw the activations of every gate over time, one panel a gate, one line of pixels a unit.

    Parameters
    ----------
    gates : array_like, (T, N, G, H) or (T, G, H)
        ``tape.gates``: i f g o of an LSTM, r z n of a GRU, h of an RNN.
    row : int
        Which of the N sequences.
    symbols : sequence of str or None
        What was read at each of the T steps, written above.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        Colours from −1 to 1; a gate that is shut is 0.

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.
    ValueError
        gates have another shape, there is no such row, or another number of symbols.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> from fastrnn.plot import gate_activations
    >>> w = np.zeros((4, 1))
    >>> _, _, tape = fastrnn.lstm_forward(np.ones((3, 2, 1)), w, w)
    >>> [axes.get_ylabel() for axes in gate_activations(tape.gates).axes[:4]]
    ['gate i', 'gate f', 'gate g', 'gate o']
    """
    array = np.asarray(gates)
    array = array[:, None] if array.ndim == 3 else array
    if array.ndim != 4 or array.shape[2] not in _GATES or 0 in array.shape:
        raise ValueError(
            f"gates must have shape (T, N, G, H) or (T, G, H), G 1, 3 or 4, got {np.shape(gates)}"
        )
    if not 0 <= row < array.shape[1]:
        raise ValueError(f"row must lie in 0..{array.shape[1] - 1}, got {row}")
    T, _, G, _ = array.shape
    if symbols is not None and len(symbols) != T:
        raise ValueError(f"symbols must be {T} as gates have steps, got {len(symbols)}")
    figure = require_matplotlib()(figsize=(8, 1.2 + 1.5 * G), dpi=120, layout="constrained")
    panels = figure.subplots(G, 1, sharex=True, squeeze=False)[:, 0]
    for axes, name, values in zip(panels, _GATES[G], array[:, row].swapaxes(0, 1), strict=True):
        image = axes.imshow(
            values.T, aspect="auto", interpolation="nearest", cmap="RdBu_r", vmin=-1, vmax=1
        )
        axes.set(ylabel=f"gate {name}")
        axes.set_yticks([])
    panels[-1].set_xlabel("step t")
    if symbols is not None:
        top = panels[0].secondary_xaxis("top")
        top.set_ticks(range(T), labels=list(symbols), fontsize=7)
        top.tick_params(length=0)
    panels[0].set_title(title)
    figure.colorbar(image, ax=list(panels), shrink=0.8, label="activation")
    return figure
