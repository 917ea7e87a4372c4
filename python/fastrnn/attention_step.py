"""AttentionStep: a decoder with attention one step at a time, for decoding; needs NumPy alone."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _checks, _core
from fastrnn._calls.decoder_run import DecoderRun, contiguous, open_arrays, open_outputs
from fastrnn._checks import Array, allocate, floats
from fastrnn.runtime import team


class AttentionStep:
    """One step of `fastrnn.ops.attention_decoder` a call, without gradients.

    What a beam search asks for: the keys are computed once, and rows may share a row of memory, so
    that nothing of it is copied for the hypotheses of a sentence.

    Parameters
    ----------
    memory : array_like, (S, M, C)
    params : dict
        As `fastrnn.ops.attention_decoder`, as the next four.
    cell, score, query : str
    input_feed : bool
    memory_lengths : array_like of int or None, (M,)
    num_threads : int or None
        None: the process-wide setting.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As `fastrnn.ops.attention_decoder`.

    References
    ----------
    As `fastrnn.ops.attention_decoder`.

    Examples
    --------
    >>> import fastrnn, numpy as np
    >>> params = {"weight_ih": np.zeros((3, 2)), "weight_hh": np.zeros((3, 1))}
    >>> step = fastrnn.AttentionStep(np.array([[[1.0]], [[3.0]]]), params, score="dot")
    >>> output, context, weights, state = step(np.ones((2, 1)), rows=[0, 0])
    >>> context, weights
    (array([[2.],
           [2.]]), array([[0.5, 0.5],
           [0.5, 0.5]]))
    """

    def __init__(
        self,
        memory: ArrayLike,
        params: Any,
        *,
        cell: str = "gru",
        score: str = "additive",
        query: str = "previous",
        input_feed: bool = True,
        memory_lengths: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> None:
        self._threads = _checks.threads(num_threads)
        d, inputs, dtype = open_arrays(None, memory, params, (cell, score, query, input_feed))
        if memory_lengths is not None:
            inputs["memory_lengths"] = _checks.lengths(memory_lengths, d.S, d.N, single=False)
        self._decoder, self._inputs, self._dtype = d, inputs, dtype
        self._rows = d.N  # of memory
        self._keys: Array | None = None
        if d.score == "additive":
            self._keys = allocate("keys", (d.S, d.N, d.A), dtype)
            _core.linear_forward(
                inputs["memory"].reshape(-1, d.C), inputs["weight_key"], inputs.get("bias_key"),
                self._keys.reshape(-1, d.A), self._threads or team.get(),
            )  # fmt: skip

    def __call__(
        self, x: ArrayLike, state: Any = None, rows: ArrayLike | None = None
    ) -> tuple[Array, Array, Array, tuple[Array, ...]]:
        """Advance every row by one step.

        Parameters
        ----------
        x : array_like, (N, E)
        state : tuple of array_like or None
            What the call before returned, its rows picked as you like: ``part[parents]``. None:
            zeros.
        rows : array_like of int or None, (N,)
            The row of memory, 0..M-1, that each row attends to; None: each its own, N is M.

        Returns
        -------
        output : ndarray, (N, O)
        context : ndarray, (N, C)
        weights : ndarray, (N, S)
        state : tuple of ndarray
            h, c of an LSTM, and fed where the step before feeds.

        Raises
        ------
        TypeError
            x or state is no floating array of the parameters' dtype, or rows holds no integers.
        ValueError
            A shape does not fit, or a row is not in 0..M-1.
        MemoryError
            A result or the workspace does not fit.
        """
        x = floats("x", x, self._dtype)
        d = self._decoder
        if x.ndim != 2 or x.shape[1] != d.E:
            raise ValueError(f"x must have shape (N, E) = (N, {d.E}), got {x.shape}")
        d = d._replace(N=len(x))
        inputs = self._inputs | {"x": contiguous("x", x)[None]}
        if rows is not None:
            inputs["memory_rows"] = self._checked(rows, d.N)
        elif self._rows != d.N:
            raise ValueError(f"x must have M = {self._rows} rows, or pass rows; got {d.N}")
        run = DecoderRun(
            d, inputs, open_outputs(d, self._dtype, state, self._keys), self._threads or team.get()
        )
        run.forward(keys_ready=True)
        outputs, contexts, weights, *after = run.results()
        return outputs[0], contexts[0], weights[0], tuple(after)

    def _checked(self, rows: Any, N: int) -> Array:
        array = np.asarray(rows)
        if array.dtype.kind not in "iu":
            raise TypeError(f"rows must hold integers, got {array.dtype}")
        if array.shape != (N,):
            raise ValueError(f"rows must have shape (N,) = ({N},), got {array.shape}")
        if N and not (array.min() >= 0 and array.max() < self._rows):
            raise ValueError(f"rows must lie in 0..M-1 = 0..{self._rows - 1}, got {array}")
        return np.require(array, np.int64, ["C", "A"])
