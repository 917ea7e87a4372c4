"""The decoder with attention and its gradients, as docs/maths/attention_decoder.md has them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastrnn._decoder import NAMES, Decoder, open_decoder, open_state
from fastrnn.cells import GradientLimits, GRUSpec, LSTMSpec, Spec
from fastrnn.reference._call import from_seen, rz_n
from fastrnn.reference._checks import counts, threads
from fastrnn.reference._math import (
    Array,
    affine,
    array_module,
    as_array,
    constant,
    masked_softmax,
    tanh_backward,
)
from fastrnn.reference.gru import gru_step, gru_step_backward
from fastrnn.reference.lstm import lstm_step, lstm_step_backward


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
    _, step, inputs, exists, now = open_call(
        x, memory, params, state, (cell, score, query, input_feed), (memory_lengths, lengths),
        num_threads,
    )  # fmt: skip
    return all_steps(step, inputs, exists, now)


def all_steps(step: "Step", inputs: Any, exists: Array, now: list[Any]) -> tuple[Any, ...]:
    """Return outputs, contexts and weights of all steps, and the state after each row's last."""
    d, xp = step.d, step.xp
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

    @staticmethod
    def as_operand(array: Any) -> Any:
        """Return what a product by W_hh takes: nothing is rounded."""
        return array


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


def attention_decoder_backward(
    g: tuple[Any, ...],
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
    truncate: int | None = None,
    clip_step: float | None = None,
) -> dict[str, Any]:
    """Return the gradients of `attention_decoder`, given those by its results.

    Parameters
    ----------
    g : tuple of ndarray or None
        The gradients by outputs (T, N, O), contexts (T, N, C), weights (T, N, S) and each array of
        the state; None: zeros.
    x, memory, params, cell, score, query, input_feed, memory_lengths, lengths, state, num_threads
        As forward had them.
    truncate : int or None
        Let no gradient flow from steps k, 2k, … into the state before them; None: no cut.
    clip_step : float or None
        Limit each step's gradients by the gates' pre-activations to ±clip_step; None: no limit.

    Returns
    -------
    dict
        Gradients by "x" (T, N, E), "memory" (S, N, C), each array of params by its name, and
        "state", the tuple of those by h, c of an LSTM, and fed where it is part of the state.

    Raises
    ------
    TypeError, ValueError
        As `attention_decoder`.

    References
    ----------
    docs/maths/attention_decoder.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> params = {"weight_ih": np.zeros((3, 2)), "weight_hh": np.zeros((3, 1))}
    >>> memory, ones = np.array([[[1.0]], [[3.0]]]), np.ones((1, 1, 1))
    >>> grads = reference.attention_decoder_backward(
    ...     (ones, None, None, None), ones, memory, params, score="dot"
    ... )
    >>> grads["state"]
    (array([[0.5]]),)
    """
    d, step, inputs, exists, now = open_call(
        x, memory, params, state, (cell, score, query, input_feed), (memory_lengths, lengths),
        num_threads,
    )  # fmt: skip
    before = []
    for t in range(d.T):
        before.append(now)
        _, after = step.run(inputs[t], now)
        now = [np.where(exists[t][:, None], n, o) for n, o in zip(after, now, strict=True)]
    widths = (d.O, d.C, d.S)
    dresults = [
        np.zeros((d.T, d.N, width)) if part is None else part
        for part, width in zip(g[:3], widths, strict=True)
    ]
    last = dict(zip(d.state_names, g[3:], strict=True))
    every, limit = GradientLimits.of(truncate, clip_step)
    back = _Back(step, inputs, limit)
    dstate = [np.zeros_like(s) for s in now]
    for k, name in enumerate(("h", "c", "fed")):
        if last.get(name) is not None:
            dstate[k] = last[name]
    for t in reversed(range(d.T)):
        there = exists[t][:, None]
        own = [np.where(there, part[t], 0) for part in dresults]
        came = [np.where(there, part, 0) for part in dstate]
        went = back.step(t, before[t], own, came)
        if every is not None and t and t % every == 0:
            went = [np.zeros_like(part) for part in went]
        dstate = [np.where(there, new, old) for new, old in zip(went, dstate, strict=True)]
    kept = dict(zip(("h", "c", "fed"), dstate, strict=True))
    return back.gradients() | {"state": tuple(kept[name] for name in d.state_names)}


class _Back:
    """What the steps add to, from the last to the first."""

    def __init__(self, step: Step, inputs: Array, limit: float | None) -> None:
        self.now, self.inputs, self.p, self.limit = step, inputs, step.p, limit
        self.sums = {name: np.zeros_like(a) for name, a in step.p.items() if a is not None}
        self.dx = np.zeros_like(inputs)
        self.dmemory, self.dkeys = np.zeros_like(step.memory), np.zeros_like(step.keys)

    def add(self, weight: str, bias: str | None, dy: Array, x: Array) -> None:
        """Gradients of ``x·weightᵀ + bias``, given that by its result."""
        self.sums[weight] += dy.T @ x
        if bias in self.sums:
            self.sums[bias] += dy.sum(axis=0)

    def step(self, t: int, state: Any, own: list[Array], came: list[Array]) -> list[Array]:
        """Gradients by the state before step t, from those by its results and by the state."""
        d, (h, _, fed), x = self.now.d, state, self.inputs[t]
        (output, context, weights), (h_t, c_t, _) = self.now.run(x, state)
        (dout, dcontext, dweights), (dh, dc, dfed) = own, came
        projected = self.p["weight_output"] is not None
        if d.carries_fed and projected:
            dout = dout + dfed
        elif d.carries_fed:
            dcontext = dcontext + dfed
        if projected:
            dpre = tanh_backward(output, dout)
            self.add("weight_output", "bias_output", dpre, np.concatenate([h_t, context], axis=1))
            both = dpre @ self.p["weight_output"]
            dh, dcontext = dh + both[:, : d.H], dcontext + both[:, d.H :]
        else:
            dh = dh + dout
        if d.query == "current":
            dh = dh + self.attend(h_t, weights, dcontext, dweights)
        joined = self.now.join(x, fed if d.query == "current" else context)
        dpre, dh, dc = self.cell(x, state, (c_t, context), dh, dc)
        both = dpre @ self.p["weight_ih"]
        self.add("weight_ih", "bias_ih", dpre, joined)
        self.dx[t], dfed = both[:, : x.shape[1]], both[:, x.shape[1] :]
        if d.query == "previous":
            dcontext = dcontext + dfed if d.F else dcontext
            dh = dh + self.attend(h, weights, dcontext, dweights)
        return [dh, dc, dfed]

    def cell(
        self, x: Array, state: Any, new: Any, dh: Array, dc: Array
    ) -> tuple[Array, Array, Array]:
        """Gradients by the input's product and by h and c before, from those by h and c after."""
        (h, c, fed), (c_t, context) = state, new
        fed = context if self.now.d.query == "previous" else fed
        gates = self.now.advance(x, h, c, fed)[2]
        if self.now.d.cell == "lstm":
            dpre, dc = lstm_step_backward(gates, c, c_t, dh, dc, None, LSTMSpec.plain, self.limit)
            self.add("weight_hh", "bias_hh", dpre, h)
            return dpre, dpre @ self.p["weight_hh"], dc
        hn = from_seen(self.now.recurrent, h, rz_n(self.now.d.H)[1])
        dpre, dhh, dh = gru_step_backward(self.now.recurrent, gates, h, hn, dh, self.limit)
        self.add("weight_hh", "bias_hh", dhh, h)
        return dpre, dh, dc

    def attend(self, h: Array, weights: Array, dcontext: Array, dweights: Array) -> Any:
        """Return the gradient by the state that asked."""
        memory, q = self.now.memory, self.now.ask(h)
        self.dmemory += weights.T[:, :, None] * dcontext[None]
        slope = (dcontext[None] * memory).sum(axis=2).T + dweights
        de = weights * (slope - (weights * slope).sum(axis=1, keepdims=True))
        by_key = de.T[:, :, None]
        if self.now.d.score == "additive":
            z = np.tanh(q[None] + self.now.keys)
            dz = by_key * self.p["vector"] * (1 - z * z)
            self.sums["vector"] += (by_key * z).sum(axis=(0, 1))
            self.dkeys += dz
            dq = dz.sum(axis=0)
            self.add("weight_query", None, dq, h)
            return dq @ self.p["weight_query"]
        dq = (by_key * memory).sum(axis=0)
        self.dmemory += by_key * q[None]
        if self.now.d.score == "dot":
            return dq
        self.add("weight_general", None, dq, h)
        return dq @ self.p["weight_general"]

    def gradients(self) -> dict[str, Any]:
        """Return what all steps have added up to."""
        if self.now.d.score == "additive":
            dkeys = self.dkeys.reshape(-1, self.dkeys.shape[2])
            memory = self.now.memory.reshape(-1, self.now.memory.shape[2])
            self.add("weight_key", "bias_key", dkeys, memory)
            self.dmemory += self.dkeys @ self.p["weight_key"]
        there = self.now.there.T[:, :, None]
        return {"x": self.dx, "memory": np.where(there, self.dmemory, 0), **self.sums}
