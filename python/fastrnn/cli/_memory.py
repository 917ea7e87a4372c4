"""What a training will need of memory, by its sizes: said before it begins."""

from typing import Any

from fastrnn.models._parts.model import flatten

_LOGITS = 80 << 20  # bytes that losses of symbols hold at a time; more only for 16 steps at least


def memory_line(model: Any, optimiser: Any, steps: int, vocab: int, copies: int = 0) -> str:
    """Return what an update needs at most: weights, gradients, the optimiser and a batch.

    Parameters
    ----------
    model, optimiser
    steps : int
        Steps of the largest batch, padding included, over all of its rows.
    vocab : int
        How many symbols a softmax is over; 0: the model has none.
    copies : int
        Of all weights: of the best ones so far, of the sum of gradients.

    Notes
    -----
    Of each step and matrix of weights the way back needs at most what goes in and what comes out,
    of a table a row and its gradient. A quarter more is for masks, and for what has no matrix.
    """
    arrays = flatten(model.params)
    weights = sum(array.nbytes for array in arrays.values())
    size = max(array.itemsize for array in arrays.values())
    floats = 0
    for name, array in arrays.items():
        if "embedding" in name:
            floats += 2 * array.shape[-1]
        elif array.ndim > 1:
            floats += sum(array.shape) - (vocab if len(array) == vocab else 0)
    logits = min(steps * vocab * size, max(_LOGITS, 16 * vocab * size))
    batch = steps * floats * size * 5 // 4 + logits
    kept = len(optimiser._slots) * weights
    more = f"copies {_words(copies * weights)}, " if copies else ""
    return (
        f"{_words((2 + copies) * weights + kept + batch)} at most for an update: "
        f"weights {_words(weights)}, gradients {_words(weights)}, {type(optimiser).__name__} "
        f"{_words(kept)}, {more}a batch of {steps:,} steps {_words(batch)}"
    )


def _words(size: int) -> str:
    """Return bytes for people."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
