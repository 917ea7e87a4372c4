"""matplotlib itself, or how to get it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def require_matplotlib() -> "type[Figure]":
    """Return matplotlib's ``Figure``; call it early where a picture comes after long work.

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.

    Examples
    --------
    >>> from fastrnn.plot import require_matplotlib
    >>> require_matplotlib().__name__
    'Figure'
    """
    try:
        # A Figure of its own needs no display and leaves pyplot's global state alone.
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'pictures need matplotlib: pip install "fastrnn[plot]" gives it to you'
        ) from error
    return Figure
