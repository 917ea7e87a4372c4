"""attention_decoder: the time loop of a decoder that attends, as a primitive of autograd."""

from typing import Any

from numpy.typing import ArrayLike

from fastrnn._call import twins
from fastrnn._checks import Array
from fastrnn._decoder_run import open_run, packed
from fastrnn._quantize import Bfloat16, Matrix
from fastrnn.cells import GradientLimits
from fastrnn.ops._primitive import Call, differentiable, opened


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
    truncate: int | None = None,
    clip_step: float | None = None,
) -> tuple[Array, Array, Array, tuple[Array, ...]]:
    """Run a decoder that attends to memory: all its steps in one call.

    Parameters
    ----------
    x : array_like, (T, N, E)
        Inputs, time-major: the embedded targets, shifted right by one.
    memory : array_like, (S, N, C)
        What is attended to and averaged, time-major: the outputs of an encoder.
    params : dict
        Arrays by name. The cell, gates in the order r z n or i f g o: weight_ih (G·H, E + F),
        weight_hh (G·H, H), bias_ih and bias_hh (G·H,). The additive score: weight_query (A, H),
        weight_key (A, C), bias_key (A,), vector (A,). The general score: weight_general (C, H).
        The attentional output: weight_output (O, H + C), bias_output (O,). Biases and the output
        may be absent, or None. The columns of weight_ih are those of x, then the F of what feeds.
    cell : str
        "gru" (reset after) or "lstm".
    score : str
        "additive": ``vector·tanh(weight_query h + weight_key m + bias_key)``; "dot": ``h·m``, for
        which C is H; "general": ``(weight_general h)·m``.
    query : str
        "previous": the score is of the state before the step, and the context feeds this step
        (Bahdanau). "current": of the state after it, and what feeds comes from the step before:
        the attentional output (Luong), or the context where there is no weight_output.
    input_feed : bool
        Whether anything joins x at the cell. F is C for the context, O for the output, 0 without.
    memory_lengths : array_like of int or None, (N,)
        How many positions of each row's memory exist, 0..S; None: all. The others are never read.
    lengths : array_like of int or None, (N,)
        How many steps each row has, 0..T; None: all.
    state : tuple of array_like or None
        h (N, H), then c (N, H) of an LSTM, then fed (N, F) where query is "current" and input_feed
        is True (it may be left out). None: zeros.
    num_threads : int or None
        None: the process-wide setting.
    truncate : int or None
        Let no gradient flow from a row's steps k, 2k, … into the state before them, that which the
        score sees included; None: no cut. What flows into memory is not cut.
    clip_step : float or None
        Limit each step's gradients by the gates' pre-activations to ±clip_step, element by
        element; None: no limit.

    Returns
    -------
    outputs : ndarray, (T, N, O)
        ``tanh(weight_output [h; context] + bias_output)``, or h (N, H) without weight_output.
    contexts : ndarray, (T, N, C)
        The means of memory, weighed by weights; 0 for a row without memory.
    weights : ndarray, (T, N, S)
        A step's sum is 1, or 0 without memory.
    state : tuple of ndarray
        After each row's last step, as the argument is, fed included. The first three results are
        0 where a row has no step.

    Raises
    ------
    TypeError
        An array is no floating array of one dtype, lengths are no integers, params no dict.
    ValueError
        An option or a name is unknown, a shape does not fit, truncate is below 1, or clip_step is
        not above 0.
    MemoryError
        A result or the workspace does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    A call is one node of autograd, however many steps it has. The gradient reaches memory by three
    roads: as keys, as what is averaged and, where it was made of memory, by the initial state.

    References
    ----------
    Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate", 2015,
    equations 4 to 6 and appendix A.1.2; Luong et al., "Effective Approaches to Attention-based
    Neural Machine Translation", 2015, equations 5 to 8 and section 3.3;
    docs/maths/attention_decoder.md; `fastrnn.reference.attention_decoder` is the twin.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import ops
    >>> params = {"weight_ih": np.zeros((3, 2)), "weight_hh": np.zeros((3, 1))}
    >>> memory = np.array([[[1.0]], [[3.0]]])
    >>> outputs, contexts, weights, state = ops.attention_decoder(
    ...     np.ones((1, 1, 1)), memory, params, score="dot", state=(np.ones((1, 1)),)
    ... )
    >>> outputs, contexts.round(3)
    (array([[[0.5]]]), array([[[2.762]]]))
    """
    options = {
        "cell": cell,
        "score": score,
        "query": query,
        "input_feed": input_feed,
        "memory_lengths": memory_lengths,
        "lengths": lengths,
        "num_threads": num_threads,
    }
    limits = GradientLimits.of(truncate, clip_step)
    if not hasattr(params, "keys"):  # a dict, or autograd's box of one
        raise TypeError(f"params must be a dict of arrays, got {params!r}")
    given = {name: params[name] for name in params if params[name] is not None}
    states = () if state is None else opened(state)
    if state is not None and not isinstance(states, (tuple, list)):
        raise TypeError(f"state must be a tuple of arrays, got {type(state).__name__}")
    if state is not None and not states:
        raise ValueError("state must be a tuple of one array or more, or None, got none")
    outputs, contexts, weights, *after = _attention_decoder(
        x, memory, *states, *given.values(), names=tuple(given), options=options, limits=limits
    )
    return outputs, contexts, weights, tuple(after)


def _forward(
    call: Call,
    *arrays: Any,
    names: tuple[str, ...],
    options: dict[str, Any],
    limits: GradientLimits,
) -> tuple[Any, ...]:
    x, memory, state, params = _split(arrays, names)
    few = {name: w for name, w in params.items() if isinstance(w, Matrix)}
    if few and not call.core:
        operands = params | {name: w.operand() for name, w in few.items()}
        bfloat16 = any(isinstance(w, Bfloat16) for w in few.values())
        *first, after = twins("quantized").attention_decoder(
            x, memory, operands, state=state, bfloat16=bfloat16, **options
        )
        return (*first, *after)
    if not call.core:
        *first, after = twins().attention_decoder(x, memory, params, state=state, **options)
        call.kept = arrays, names, options | limits._asdict()
        return (*first, *after)
    run = open_run(x, memory, params, state, call.num_threads, **options)
    run.forward(packed(run.decoder, run.inputs, few) if few else None)
    results = run.results()
    if call.traced:  # backward reads them again
        call.kept = run, (*run.decoder.state_names[: len(state or ())], *names), limits
        for result in results[:3]:
            result.setflags(write=False)
    return results


def _backward(call: Call, g: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
    if call.core:
        run, names, limits = call.kept
        keys = ("x", "memory", *names)
        wanted = {key for key, w in zip(keys, call.wanted, strict=True) if w}
        gradients = run.backward(g, wanted, limits)
        return tuple(gradients.get(key) for key in keys)
    arrays, names, options = call.kept
    x, memory, state, params = _split(arrays, names)
    gradients = twins().attention_decoder_backward(g, x, memory, params, state=state, **options)
    states = gradients["state"][: len(state or ())]
    return (gradients["x"], gradients["memory"], *states, *(gradients[name] for name in names))


def _split(arrays: Any, names: tuple[str, ...]) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Return x, memory, state and params of an operation's flat arguments."""
    states = len(arrays) - 2 - len(names)
    params = dict(zip(names, arrays[2 + states :], strict=True))
    return arrays[0], arrays[1], tuple(arrays[2 : 2 + states]) or None, params


_attention_decoder = differentiable("attention_decoder", _forward, _backward)
