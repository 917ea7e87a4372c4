"""JAX: the layer as lax.scan over the steps, forward and gradient each compiled as a whole."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

from bench.baselines import Peer, Prepared, Problem, needs_whole_affinity
from bench.cases import Array, Case


class Jax(Peer):
    """``jax.jit`` of a scan whose input product is taken out of the loop, as users write it.

    XLA's CPU client takes its threads from the affinity mask, so the process must be confined to
    as many CPUs as the case has threads. Compilation is not timed.
    """

    title = "JAX"
    packages = ("jax", "jaxlib")

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        if case.kind.choices:
            return "what is compared are the usual gates and activations"
        return needs_whole_affinity(case)

    def prepare(self, problem: Problem) -> Prepared:
        jax: Any = importlib.import_module("jax")
        jax.config.update("jax_enable_x64", True)  # else float64 arrays would become float32
        jnp, case = jax.numpy, problem.case
        weights = {k: jnp.asarray(_in_jax_layout(k, v)) for k, v in problem.weights.items()}
        x, dy = jnp.asarray(problem.x), jnp.asarray(problem.dy)
        mask = None
        if problem.lengths is not None:
            mask = (jnp.arange(case.T)[:, None] < problem.lengths)[..., None]
        net = functools.partial(_net, jax, case)
        if case.stream:
            return _stream(jax, case, jax.jit(net), weights, x)

        def with_gradients(weights: Any, x: Any, mask: Any, dy: Any) -> Any:
            y, pull = jax.vjp(lambda w, v: net(w, v, mask)[0], weights, x)
            return y, pull(dy)

        if not case.training:
            forward = jax.jit(net)
            return Prepared(
                lambda: jax.block_until_ready(forward(weights, x, mask)),
                lambda: {"y": _numpy(forward(weights, x, mask)[0])},
            )
        training = jax.jit(with_gradients)

        def answer() -> dict[str, Array]:
            y, (dweights, dx) = training(weights, x, mask, dy)
            found = {"y": _numpy(y), "dx": _numpy(dx)}
            return found | {f"d{k}": _in_jax_layout(k, _numpy(v)) for k, v in dweights.items()}

        return Prepared(lambda: jax.block_until_ready(training(weights, x, mask, dy)), answer)


def _numpy(array: Any) -> Array:
    return importlib.import_module("numpy").asarray(array)  # type: ignore[no-any-return]


def _in_jax_layout(name: str, weights: Array) -> Array:
    """Matrices as (I, G·H), the layout of JAX's own layers; its own inverse."""
    matrix = name.startswith(("weight_ih", "weight_hh"))
    return weights.T.copy() if matrix else weights


def _stream(jax: Any, case: Case, step_fn: Any, weights: Any, x: Any) -> Prepared:
    """One compiled step a call, the state carried from call to call."""
    zeros = _zero_state(jax, case, x)
    state = zeros

    def step() -> Any:
        nonlocal state
        y, state = jax.block_until_ready(step_fn(weights, x, None, state))
        return y

    def first_step() -> dict[str, Array]:
        nonlocal state
        state = zeros
        return {"y": _numpy(step())}

    return Prepared(step, first_step)


def _net(jax: Any, case: Case, weights: Any, x: Any, mask: Any, state: Any = None) -> Any:
    """All layers and directions: y (T, N, D·H) and the final state of the last sweep."""
    jnp = jax.numpy
    suffixes = iter(case.sweeps())
    for _ in range(case.layers):
        outs = []
        for direction in range(case.directions):
            suffix, _size = next(suffixes)
            w = {k.removesuffix(suffix): v for k, v in weights.items() if k.endswith(suffix)}
            y, state_n = _sweep(jax, case, w, x, mask, state, direction == 1)
            outs.append(y)
        x = outs[0] if len(outs) == 1 else jnp.concatenate(outs, axis=-1)
    return x, state_n


def _sweep(
    jax: Any, case: Case, w: Any, x: Any, mask: Any, state: Any, reverse: bool
) -> tuple[Any, Any]:
    """One layer in one direction; a row whose mask is off keeps its state and puts out zeros."""
    jnp = jax.numpy
    pre = x @ w["weight_ih"] + w["bias_ih"]
    if case.cell != "gru_after":  # there r multiplies the recurrent bias, so it stays in the loop
        pre = pre + w["bias_hh"]
    if state is None:
        state = _zero_state(jax, case, x)
    advance = _step(jax, case, w)

    def body(state: Any, inputs: Any) -> tuple[Any, Any]:
        pre_t, mask_t = inputs
        new = advance(state, pre_t)
        if mask_t is None:
            return new, new[0]
        kept = tuple(jnp.where(mask_t, a, b) for a, b in zip(new, state, strict=True))
        return kept, jnp.where(mask_t, new[0], 0)

    state, y = jax.lax.scan(body, state, (pre, mask), reverse=reverse)
    return y, state


def _zero_state(jax: Any, case: Case, x: Any) -> Any:
    """(h, c) for an LSTM, else (h,)."""
    zeros = jax.numpy.zeros((x.shape[1], case.H), x.dtype)
    return (zeros, zeros) if case.kind.layer == "LSTM" else (zeros,)


def _step(jax: Any, case: Case, w: Any) -> Callable[[Any, Any], Any]:
    """One step of the cell: state and projected input to state."""
    jnp, sigmoid, H = jax.numpy, jax.nn.sigmoid, case.H
    u = w["weight_hh"]

    def rnn(state: Any, pre: Any) -> Any:
        functions = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": sigmoid}
        nonlinearity = functions.get(case.kind.options["nonlinearity"], lambda v: v)
        return (nonlinearity(pre + state[0] @ u),)

    def lstm(state: Any, pre: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(pre + h @ u, 4, axis=-1)
        if "weight_peephole" in w:
            i, f = i + w["weight_peephole"][0] * c, f + w["weight_peephole"][1] * c
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        if "weight_peephole" in w:
            o = o + w["weight_peephole"][2] * c
        return sigmoid(o) * jnp.tanh(c), c

    def gru_after(state: Any, pre: Any) -> Any:
        (h,) = state
        rec = h @ u + w["bias_hh"]
        r, z = jnp.split(sigmoid(pre[:, : 2 * H] + rec[:, : 2 * H]), 2, axis=-1)
        n = jnp.tanh(pre[:, 2 * H :] + r * rec[:, 2 * H :])
        return ((1 - z) * n + z * h,)

    def gru_before(state: Any, pre: Any) -> Any:
        (h,) = state
        r, z = jnp.split(sigmoid(pre[:, : 2 * H] + h @ u[:, : 2 * H]), 2, axis=-1)
        n = jnp.tanh(pre[:, 2 * H :] + (r * h) @ u[:, 2 * H :])
        return ((1 - z) * n + z * h,)

    return {"lstm": lstm, "lstm_peephole": lstm, "gru_after": gru_after}.get(
        case.cell, gru_before if case.kind.layer == "GRU" else rnn
    )
