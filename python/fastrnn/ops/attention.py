"""attention: one query a row over the keys of its row, as a primitive of autograd."""

from typing import Any

from numpy.typing import ArrayLike

from fastrnn import _checks, _core
from fastrnn._call import twins
from fastrnn._checks import Array, allocate, floats, leading, unit_stride
from fastrnn.ops._primitive import Call, differentiable


def attention(
    query: ArrayLike, keys: ArrayLike, lengths: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Attend to the keys of each row by dot products.

    Parameters
    ----------
    query : array_like, (N, H)
        One for each row of the batch. A general score is ``query = ops.linear(h, w)``.
    keys : array_like, (S, N, H)
        Time-major, as a layer returns its outputs; they are also what is averaged.
    lengths : array_like of int or None, (N,)
        How many keys of each row exist, 0..S; None: all. The others are never read.

    Returns
    -------
    context : ndarray, (N, H)
        The mean of the keys, weighed by attn; 0 for a row without keys.
    attn : ndarray, (N, S)
        The weights: a row's sum is 1, or 0 without keys.

    Raises
    ------
    TypeError
        query and keys are no floating arrays of one dtype, or lengths no integers.
    ValueError
        A shape does not fit, or a length is not in 0..S.
    MemoryError
        The result or the workspace does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    ``attn[n] = softmax_s(query[n]·keys[s, n])`` and ``context[n] = Σ_s attn[n, s]·keys[s, n]``.
    Scores are not scaled; divide the query by √H for that.

    References
    ----------
    Luong et al., "Effective Approaches to Attention-based Neural Machine Translation", 2015,
    equations 7 and 8 with the dot score; docs/maths/attention.md; `fastrnn.reference.attention` is
    the twin.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import ops
    >>> context, attn = ops.attention(np.zeros((1, 1)), np.array([[[1.0]], [[3.0]]]))
    >>> context, attn
    (array([[2.]]), array([[0.5, 0.5]]))
    """
    return _attention(query, keys, lengths=lengths)  # type: ignore[no-any-return]


def _forward(call: Call, query: Any, keys: Any, *, lengths: Any) -> tuple[Array, Array]:
    keys, dtype = leading("keys", keys)
    if keys.ndim != 3:
        raise ValueError(f"keys must have shape (S, N, H), got {keys.shape}")
    S, N, H = keys.shape
    query = floats("query", query, dtype)
    if query.shape != (N, H):
        raise ValueError(
            f"query must have shape (N, H) = ({N}, {H}) for keys of {keys.shape}, got {query.shape}"
        )
    if lengths is not None:
        lengths = _checks.lengths(lengths, S, N, False, symbols=("N", "S"))
    query, keys = unit_stride("query", query), unit_stride("keys", keys)
    if call.core:
        context, attn = allocate("context", (N, H), dtype), allocate("attn", (N, S), dtype)
        _core.attention_forward(query, keys, lengths, context, attn, call.num_threads)
    else:
        context, attn = twins().attention(query, keys, lengths)
    # A copy where backward may need it: the caller may change what it was given.
    call.kept = (query, keys, lengths, attn.copy() if call.traced else None)
    return context, attn


def _backward(call: Call, g: tuple[Array | None, Array | None]) -> tuple[Array | None, ...]:
    query, keys, lengths, attn = call.kept
    dcontext, dattn = g
    if not call.core:
        dcontext = query * 0 if dcontext is None else dcontext
        dattn = attn * 0 if dattn is None else dattn
        return twins().attention_backward(dcontext, dattn, query, keys, lengths)  # type: ignore[no-any-return]
    dquery, dkeys = (
        allocate(name, array.shape, array.dtype) if wanted else None
        for name, array, wanted in zip(("dquery", "dkeys"), (query, keys), call.wanted, strict=True)
    )
    _core.attention_backward(
        dcontext, dattn, query, keys, lengths, attn, dquery, dkeys, call.num_threads
    )
    return dquery, dkeys


_attention = differentiable("attention", _forward, _backward)
