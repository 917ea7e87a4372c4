"""Attention of one query a row, and its backward, as docs/maths/attention.md derives it."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference._math import Array, array_module, as_array, masked_softmax


def attention(
    query: ArrayLike, keys: ArrayLike, lengths: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Attend to the keys of each row, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    query : array_like, (N, H)
    keys : array_like, (S, N, H)
        Also what is averaged.
    lengths : array_like of int or None, (N,)
        How many keys of each row exist, 0..S; None: all.

    Returns
    -------
    context : ndarray, (N, H)
        The mean of the keys, weighed by attn; 0 for a row without keys.
    attn : ndarray, (N, S)
        The weights: a row's sum is 1, or 0 without keys.

    Raises
    ------
    ValueError
        A shape does not fit.

    References
    ----------
    Luong et al., "Effective Approaches to Attention-based Neural Machine Translation", 2015,
    equations 7 and 8 with the dot score; docs/maths/attention.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> context, attn = reference.attention(np.zeros((1, 1)), np.array([[[1.0]], [[3.0]]]))
    >>> context, attn
    (array([[2.]]), array([[0.5, 0.5]]))
    """
    k: Any = as_array(keys)
    q: Any = as_array(query, k)
    xp = array_module(q, k)
    exists = _exists(k.shape[0], k.shape[1], lengths)
    k = xp.where(exists[:, :, None], k, 0.0)  # nothing else in padding reaches a gradient
    scores = xp.transpose(xp.sum(q[None] * k, axis=2))
    attn = masked_softmax(xp, scores, exists.T)
    return xp.sum(xp.transpose(attn)[:, :, None] * k, axis=0), attn


def attention_backward(
    dcontext: Array,
    dattn: Array,
    query: Array,
    keys: Array,
    lengths: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Return the gradients of `attention` by query and keys, given those by its results.

    Parameters
    ----------
    dcontext : ndarray, (N, H)
    dattn : ndarray, (N, S)
    query, keys, lengths
        As forward had them.

    Returns
    -------
    dquery : ndarray, (N, H)
    dkeys : ndarray, (S, N, H)
        0 for keys that do not exist.

    Raises
    ------
    ValueError
        A shape does not fit.

    References
    ----------
    docs/maths/attention.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> keys = np.array([[[1.0]], [[3.0]]])
    >>> reference.attention_backward(np.ones((1, 1)), np.zeros((1, 2)), np.zeros((1, 1)), keys)
    (array([[1.]]), array([[[0.5]],
           [[0.5]]]))
    """
    exists = _exists(keys.shape[0], keys.shape[1], lengths)[:, :, None]
    keys = np.where(exists, keys, 0.0).astype(keys.dtype)
    _, attn = attention(query, keys, lengths)
    weights = attn.T[:, :, None]
    d = (dcontext[None] * keys).sum(axis=2).T + dattn
    dscores = attn * (d - (attn * d).sum(axis=1, keepdims=True))
    by_key = dscores.T[:, :, None]
    dkeys = np.where(exists, by_key * query[None] + weights * dcontext[None], 0.0)
    return (by_key * keys).sum(axis=0), dkeys.astype(keys.dtype)


def _exists(S: int, N: int, lengths: Any) -> Array:
    """Which keys (S, N) exist."""
    return np.arange(S)[:, None] < (np.full(N, S) if lengths is None else np.asarray(lengths))
