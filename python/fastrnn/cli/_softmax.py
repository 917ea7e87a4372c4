"""Softmax and cross-entropy fused, with the gradient, in plain NumPy.

`fastrnn.ops` will replace this file.
"""

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.floating]
Tokens = NDArray[np.intp]


def cross_entropy(logits: Logits, targets: Tokens, *, gradient: bool) -> float:
    """Return the mean of −ln softmax(logits)[target] over rows; leave its gradient in `logits`.

    Parameters
    ----------
    logits : ndarray, (M, V)
        One row of scores for each prediction. Overwritten: by the gradient if it is asked for,
        else by exp(logits − row maximum).
    targets : ndarray of intp, (M,)
        The right column of each row.
    gradient : bool
        Whether `logits` shall become the gradient of the mean by the logits.

    Returns
    -------
    float
        The mean, in nats.

    Notes
    -----
    With p = softmax(logits[m]) the loss of a row is −ln p[target], and its gradient by the logits
    is p − onehot(target). The row maximum is subtracted first: it changes neither, and exp stays
    at or below 1.
    """
    rows = np.arange(len(targets))
    logits -= logits.max(axis=1, keepdims=True)
    scores = logits[rows, targets]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1)
    loss = float(np.mean(np.log(total) - scores, dtype=np.float64))
    if gradient:
        logits *= (1 / (total * len(rows)))[:, None]
        logits[rows, targets] -= 1 / len(rows)
    return loss
