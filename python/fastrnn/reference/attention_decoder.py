"""The decoder with attention, step by step, as docs/maths/attention_decoder.md writes it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._decoder import NAMES, Decoder, open_decoder, open_state
from fastrnn.cells import GRUSpec, LSTMSpec, Spec
from fastrnn.reference._checks import counts, threads
from fastrnn.reference._math import Array, affine, array_module, as_array, constant, masked_softmax
from fastrnn.reference.gru import gru_step
from fastrnn.reference.lstm import lstm_step


def attention_decoder(
    x: ArrayLike,
    memory: ArrayLike,
    params: Any,
    *,
    cell: str = "gru",
    score: str = "additive",
    query: str = "previous",
    input_feed: bool = True,
    memory_lengths: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    state: Any = None,
    num_threads: int | None = None,
) -> tuple[Array, Array, Array, tuple[Array, ...]]:
    """Run a decoder that attends to memory, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, (T, N, E)
    memory : array_like, (S, N, C)
    params : dict
        Arrays by name, as `fastrnn.ops.attention_decoder` has them.
    cell, score, query, input_feed
        As there.
    memory_lengths, lengths : array_like of int or None, (N,)
        How many positions of memory, and how many steps, each row has; None: all.
    state : tuple or None
        h, then c of an LSTM, then fed where the step before feeds; None: zeros.
    num_threads : int or None
        Checked, without effect here.

    Returns
    -------
    outputs : ndarray, (T, N, O)
    contexts : ndarray, (T, N, C)
    weights : ndarray, (T, N, S)
    state : tuple of ndarray
        After each row's last step.

    Raises
    ------
    TypeError
        lengths are no integers, params no dict, a flag no bool.
    ValueError
        An option or a name is unknown, or a shape does not fit.

    References
    ----------
    Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate", 2015,
    equations 4 to 6 and appendix A.1.2; Luong et al., "Effective Approaches to Attention-based
    Neural Machine Translation", 2015, equations 5 to 8 and section 3.3;
    docs/maths/attention_decoder.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> params = {"weight_ih": np.zeros((3, 2)), "weight_hh": np.zeros((3, 1))}
    >>> memory = np.array([[[1.0]], [[3.0]]])
    >>> outputs, contexts, weights, state = reference.attention_decoder(
    ...     np.ones((1, 1, 1)), memory, params, score="dot", state=(np.ones((1, 1)),)
    ... )
    >>> outputs, contexts.round(3)
    (array([[[0.5]]]), array([[[2.762]]]))
    """
    d, step, inputs, exists, now = open_call(
        x, memory, params, state, (cell, score, query, input_feed), (memory_lengths, lengths),
        num_threads,
    )  # fmt: skip
    xp = step.xp
    results: list[tuple[Any, Any, Any]] = []
    for t in range(d.T):
        there = exists[t][:, None]
        result, after = step.run(inputs[t], now)
        results.append(tuple(xp.where(there, part, 0.0) for part in result))
        now = [xp.where(there, new, old) for new, old in zip(after, now, strict=True)]
    outputs, contexts, weights = (
        xp.stack([result[k] for result in results])
        if results
        else np.zeros((0, d.N, width), constant(now[0]).dtype)
        for k, width in enumerate((d.O, d.C, d.S))
    )
    kept = dict(zip(("h", "c", "fed"), now, strict=True))
    return outputs, contexts, weights, tuple(kept[name] for name in d.state_names)


def open_call(
    x: Any,
    memory: Any,
    params: Any,
    state: Any,
    options: tuple[Any, ...],
    lengths: tuple[Any, Any],
    num_threads: Any,
) -> tuple[Decoder, "Step", Any, Array, list[Any]]:
    """Return the decoder, its step, x without padding, which steps exist, and h, c and fed."""
    threads(num_threads)
    given = {name: as_array(params[name]) for name in params}
    x, memory = as_array(x), as_array(memory)
    d = open_decoder(x, memory, given, *options)
    states = open_state(d, state)
    p = {name: given.get(name) for name in NAMES}
    xp = array_module(x, memory, *p.values(), *states)
    there = _exists(d.S, d.N, lengths[0], "memory_lengths", "S")
    memory = xp.where(there[:, :, None], memory, 0.0)  # nothing else in padding has a gradient
    keys = affine(xp, memory, p["weight_key"], p["bias_key"]) if d.score == "additive" else memory
    exists = _exists(d.T, d.N, lengths[1], "lengths", "T")
    dtype = constant(given["weight_hh"]).dtype
    now = [
        np.zeros((d.N, width), dtype) if s is None else s
        for width, s in zip((d.H, d.H, d.F), states, strict=True)
    ]
    inputs = xp.where(exists[:, :, None], x, 0.0)
    return d, Step(d, xp, memory, keys, there.T, p), inputs, exists, now


class _Recurrent(NamedTuple):
    """What `gru_step` reads of a call."""

    xp: Any
    seq: Decoder
    w_hh: Any
    b_hh: Any
    spec: Spec
    norm: Any = None

    @staticmethod
    def recurrent_h(h: Any) -> Any:
        """Return h as the recurrent product sees it: there are no masks."""
        return h


class Step(NamedTuple):
    """All that a step needs but its input and state."""

    d: Decoder
    xp: Any
    memory: Any  # zeros beyond a row's length
    keys: Any
    there: Array  # (N, S)
    p: dict[str, Any]

    def run(self, x: Any, state: Any) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
        """One step: output, context and weights; the next h, c and fed."""
        d, (h, c, fed) = self.d, state
        if d.query == "previous":
            context, weights = self.attend(h)
            fed = context
        h, c, _ = self.advance(x, h, c, fed)
        if d.query == "current":
            context, weights = self.attend(h)
        output = h
        if self.p["weight_output"] is not None:
            both = self.xp.concatenate([h, context], axis=1)
            output = self.xp.tanh(
                affine(self.xp, both, self.p["weight_output"], self.p["bias_output"])
            )
        if d.carries_fed:
            fed = context if self.p["weight_output"] is None else output
        return (output, context, weights), (h, c, state[2] if not d.carries_fed else fed)

    def ask(self, h: Any) -> Any:
        """Return the query (N, A) of a state."""
        w = self.p["weight_query" if self.d.score == "additive" else "weight_general"]
        return affine(self.xp, h, w, None)

    def attend(self, h: Any) -> tuple[Any, Any]:
        """Return the context (N, C) and the weights (N, S) of a state."""
        xp, q = self.xp, self.ask(h)
        if self.d.score == "additive":
            e = xp.sum(self.p["vector"] * xp.tanh(q[None] + self.keys), axis=2)
        else:
            e = xp.sum(q[None] * self.memory, axis=2)
        weights = masked_softmax(xp, xp.transpose(e), self.there)
        return xp.sum(xp.transpose(weights)[:, :, None] * self.memory, axis=0), weights

    def advance(self, x: Any, h: Any, c: Any, fed: Any) -> tuple[Any, Any, Any]:
        """Return the next h and c of the cell, and its gates."""
        xp, p = self.xp, self.p
        pre = affine(xp, self.join(x, fed), p["weight_ih"], p["bias_ih"])
        if self.d.cell == "lstm":
            pre = pre + affine(xp, h, p["weight_hh"], p["bias_hh"])
            return lstm_step(xp, pre, c, None, LSTMSpec.plain)
        h, gates = gru_step(self.recurrent, pre, h)
        return h, c, gates

    def join(self, x: Any, fed: Any) -> Any:
        """Return what the cell takes for its input."""
        return self.xp.concatenate([x, fed], axis=1) if self.d.F else x

    @property
    def recurrent(self) -> Any:
        """What `gru_step` and its mirror image read of a call."""
        weights = self.p["weight_hh"], self.p["bias_hh"]
        return _Recurrent(self.xp, self.d, *weights, GRUSpec.plain)


def _exists(steps: int, N: int, lengths: Any, name: str, symbol: str) -> Array:
    """Which of the steps (steps, N) exist."""
    if lengths is None:
        return np.ones((steps, N), bool)
    return np.arange(steps)[:, None] < counts(lengths, steps, N, name, ("N", symbol))
