"""Pictures of latent vectors and of what a decoder makes of them; `fastrnn.plot` offers them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import integer
from fastrnn.plot._matplotlib import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = 10  # of tab10; further labels repeat them
_MOST_NAMES = 20


def latent_map(z: ArrayLike, labels: ArrayLike, *, title: str = "") -> "Figure":
    """Draw codes as points of a plane, coloured by what they are codes of.

    Parameters
    ----------
    z : array_like, (N, Z)
        Codes. Of more than two numbers the first two principal components are drawn.
    labels : array_like, (N,)
        What each is; equal ones get one colour.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.
    ValueError
        z or labels have another shape, or there is no point.

    Examples
    --------
    >>> from fastrnn.plot import latent_map
    >>> latent_map([[0.0, 1.0], [1.0, 0.0]], ["a", "b"]).axes[0].get_xlabel()
    'z₁'
    """
    points, names = np.asarray(z, np.float64), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] < 1 or not len(points):
        raise ValueError(f"z must have shape (N, Z) with N of at least 1, got {points.shape}")
    if names.shape != points.shape[:1]:
        raise ValueError(f"labels must have shape ({len(points)},), got {names.shape}")
    axis = "z₁", "z₂"
    if points.shape[1] > 2:
        centred = points - points.mean(axis=0)
        points = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
        axis = "first component of z", "second"
    if points.shape[1] == 1:
        points = np.column_stack([points, np.zeros(len(points))])
    figure = require_matplotlib()(figsize=(6.4, 5.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    kinds = np.unique(names)
    for k, kind in enumerate(kinds):
        here = points[names == kind]
        axes.scatter(
            here[:, 0], here[:, 1], s=6, alpha=0.7, color=f"C{k % _COLOURS}", label=str(kind)
        )
    axes.set(xlabel=axis[0], ylabel=axis[1], title=title)
    if len(kinds) <= _MOST_NAMES:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", markerscale=3)
    return figure


def image_grid(images: ArrayLike, *, columns: int = 10, title: str = "") -> "Figure":
    """Draw images side by side, row by row.

    Parameters
    ----------
    images : array_like, (N, rows, columns)
        Grey values, 0 black and 1 white.
    columns : int
        Images in a row.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is missing; the message says how to get it.
    TypeError, ValueError
        images have another shape, there is none, or columns is no integer of at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.plot import image_grid
    >>> len(image_grid(np.zeros((5, 8, 8)), columns=3).axes)
    1
    """
    stack = np.asarray(images, np.float64)
    if stack.ndim != 3 or 0 in stack.shape:
        raise ValueError(f"images must have shape (N, rows, columns), got {stack.shape}")
    N, H, W = stack.shape
    columns = integer("columns", columns, 1)
    across, down = min(columns, N), -(-N // columns)
    sheet = np.full((down * (H + 1) - 1, across * (W + 1) - 1), 0.5)
    for k, image in enumerate(stack):
        top, left = k // columns * (H + 1), k % columns * (W + 1)
        sheet[top : top + H, left : left + W] = image
    size = max(3.0, 0.7 * across), max(1.2, 0.7 * down + 0.4)
    figure = require_matplotlib()(figsize=size, dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title)
    return figure
