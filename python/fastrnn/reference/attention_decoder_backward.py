"""The gradients of the decoder with attention, as docs/maths/attention_decoder.md derives them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.cells import GradientLimits, LSTMSpec
from fastrnn.reference._call import from_seen, rz_n
from fastrnn.reference._math import Array, tanh_backward
from fastrnn.reference.attention_decoder import Step, open_call
from fastrnn.reference.gru import gru_step_backward
from fastrnn.reference.lstm import lstm_step_backward


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
