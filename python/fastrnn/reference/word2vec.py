"""The twin of one step of word2vec: some input rows predict some output rows, and both learn."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

Combine = Literal["each", "mean", "sum"]


def word2vec_step(
    vectors: Any,
    outputs: Any,
    inputs: ArrayLike,
    targets: ArrayLike,
    wanted: ArrayLike,
    alpha: float,
    *,
    combine: Combine = "each",
    softmax: bool = False,
) -> tuple[float, Any, Any]:
    """Return the loss of a step and both matrices as they are after it.

    Parameters
    ----------
    vectors : ndarray, (V, E)
        Words as inputs.
    outputs : ndarray, (W, E)
        Words, or inner nodes of a tree, as outputs.
    inputs, targets : array_like of int
        Rows; one may come several times, and its changes add up.
    wanted : array_like of {0, 1}
        Which targets are true; the others are noise. Softmax has one true target.
    alpha : float
        The learning rate.
    combine : {"each", "mean", "sum"}
        Each input predicts all targets by itself (skip-gram), or their mean or sum does (CBOW). Of
        "mean" each input takes the whole gradient by the mean, of "sum" its part, as in word2vec.c
        and gensim: that is the true gradient times, and divided by, the number of inputs.
    softmax : bool
        Normalise over the targets instead of judging each pair by itself.

    Returns
    -------
    loss : float
        Summed over all pairs.
    vectors, outputs : ndarray

    References
    ----------
    docs/maths/word2vec.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> loss, vectors, outputs = reference.word2vec_step(
    ...     np.ones((2, 1)), np.zeros((2, 1)), [0], [1, 0], [1, 0], 0.5
    ... )
    >>> round(loss, 3), vectors.tolist(), outputs.tolist()
    (1.386, [[1.0], [1.0]], [[-0.25], [0.25]])
    """
    x = vectors[np.asarray(inputs)]
    if combine != "each":
        x = x.sum(axis=0, keepdims=True) / (len(x) if combine == "mean" else 1)
    o = outputs[np.asarray(targets)]
    y = np.asarray(wanted, x.dtype)
    z = x @ o.T
    if softmax:
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.log(p[:, y > 0]).sum()
    else:
        p = 1 / (1 + np.exp(-z))
        loss = np.logaddexp(0, np.where(y > 0, -z, z)).sum()
    g = alpha * (y - p)
    dx, do = g @ o, g.T @ x
    if combine != "each":
        m = np.size(inputs)
        dx = np.repeat(dx, m, axis=0) / (m if combine == "sum" else 1)
    vectors, outputs = vectors.copy(), outputs.copy()
    np.add.at(vectors, np.asarray(inputs), dx)
    np.add.at(outputs, np.asarray(targets), do)
    return float(loss), vectors, outputs
