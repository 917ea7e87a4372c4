"""Calls that the package makes of `_core` by itself, one of which is spoilt on the way.

Tapes, packed weights, prepared steps, the arrays of a decoder, what optimisers keep, tables of word
vectors: what is hard to make by hand is made by those that need it. The rest of the work is undone.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
from helpers import operations
from helpers.updates import OPTIMISERS

import fastrnn
import fastrnn.models
import fastrnn.ops
import fastrnn.train
from fastrnn import _core
from fuzz.calls import spoilt
from fuzz.draw import Draw

# They only build what other calls take; no code of the package asks for their type.
CLASSES = (
    "Choices", "DecoderWeights", "PackedMatrix", "PackedWeights", "Step", "Word2VecTables",
)  # fmt: skip
METHODS = ((_core.Step, "run"), (_core.Tape, "gates"), (_core.Tape, "c"))
LAYERS = (
    (fastrnn.RNN, {}), (fastrnn.GRU, {}), (fastrnn.LSTM, {}), (fastrnn.LSTM, {"peephole": True}),
    (fastrnn.LSTM, {"proj_size": 2}), (fastrnn.LSTM, {"layer_norm": True}),
    (fastrnn.GRU, {"layer_norm": True}), (fastrnn.LSTM, {"peephole": "full"}),
    (fastrnn.LSTM, {"input_forget": True}), (fastrnn.RNN, {"nonlinearity": "relu"}),
)  # fmt: skip


class Undone(BaseException):
    """The spoilt call has come back; nothing of the package catches this."""


@cache
def boundary() -> list[tuple[Any, str]]:
    """Where a call can be met: the holder of a function, and its name."""
    names = [n for n, value in vars(_core).items() if inspect.isbuiltin(value)]
    return [*((_core, name) for name in (*names, *CLASSES)), *METHODS]


@contextmanager
def meeting(take: Callable[..., Any]) -> Iterator[None]:
    """Within, every call of the core is taken by a function: of it and of its arguments."""
    # As they stand: getattr of a class takes from a method what binds it to its object.
    before = {(holder, name): vars(holder)[name] for holder, name in boundary()}
    for holder, name in before:
        call = getattr(holder, name)
        setattr(holder, name, lambda *args, _call=call, **kwargs: take(_call, args, kwargs))
    try:
        yield
    finally:
        for (holder, name), member in before.items():
            setattr(holder, name, member)


def spoil_one(draw: Draw) -> tuple[str, Exception | None] | None:
    """Do some work, spoil one call of it; return whose it was and its error, None if none came."""
    work = draw.pick(WORK)
    left, found = draw.below(12), None

    def take(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        nonlocal left, found
        left -= 1
        if left >= 0:
            return call(*args, **kwargs)
        if draw.below(4) > 0:
            args = tuple(_maybe(value, draw) for value in args)
            kwargs = {name: _maybe(value, draw) for name, value in kwargs.items()}
        found = (call.__name__, None)
        try:
            call(*args, **kwargs)
        except (MemoryError, TypeError, ValueError) as error:
            found = (call.__name__, error)
        raise Undone

    with meeting(take), suppress(Undone):
        work(draw)
    return found


def _maybe(value: Any, draw: Draw) -> Any:
    if isinstance(value, tuple) and len(value) > 8:  # all arguments of one of two calls
        return tuple(_maybe(each, draw) for each in value)
    return spoilt(value, draw) if draw.below(6) == 1 else value


def _layer(draw: Draw) -> None:
    """A layer: called, forward and back, through autograd's road, or step by step."""
    cls, options = draw.pick(LAYERS)
    way, N, T = draw.below(3), 1 + draw.below(3), 1 + draw.below(3)
    dtype = draw.pick(["f4", "f8"])
    both = way != 2 and draw.below(2) == 1
    layer = cls(
        2, 3, num_layers=1 + draw.below(3), bidirectional=both, dtype=dtype,
        rng=np.random.default_rng(0), **options,
    )  # fmt: skip
    x = np.ones((T, N, 2), dtype)
    if way == 0:
        layer(x, lengths=np.arange(N) % (T + 1) if draw.below(2) else None)
    elif way == 1:
        y, _, tape = layer.forward(x)
        layer.backward(tape, np.ones_like(y), truncate=draw.pick([None, 1]))
    else:
        stream = layer.stream(N)
        for x_t in x:
            stream.step(x_t)
        stream.run(x)


def _operation(draw: Draw) -> None:
    """An operation of `fastrnn.ops`, and its gradient."""
    all_of_them = operations.cases("small")
    operation, sizes = all_of_them[(draw.below(256) * 256 + draw.below(256)) % len(all_of_them)]
    rng = np.random.default_rng(0)
    arrays, options = operation.draw(rng, **sizes)
    arrays = operations.cast(arrays, draw.pick(["f4", "f8"]))
    result = operations.run(fastrnn.ops, operation, arrays, options)
    g = operations.cotangent(rng, result)
    operations.gradients(fastrnn.ops, operation, arrays, options, g)


def _attention_step(draw: Draw) -> None:
    """Two steps of a decoder over a memory that many hypotheses share."""
    dtype = draw.pick(["f4", "f8"])
    params = {"weight_ih": np.ones((3, 2), dtype), "weight_hh": np.ones((3, 1), dtype)}
    step = fastrnn.AttentionStep(np.ones((2, 1, 1), dtype), params, score="dot")
    x = np.ones((2, 1), dtype)
    *_, state = step(x, rows=[0, 0])
    step(x, state, rows=[0, 0])


def _optimiser(draw: Draw) -> None:
    """Two updates of an optimiser, clipped."""
    optimiser = OPTIMISERS[draw.pick(sorted(OPTIMISERS))]()
    params = {"a": np.ones(3), "deep": {"b": np.ones((2, 2), "f4")}}
    for _ in range(2):
        grads = {"a": np.ones(3), "deep": {"b": np.ones((2, 2), "f4")}}
        fastrnn.train.clip_grad_norm(grads, 0.5)
        optimiser.update(params, grads)


def _words(draw: Draw) -> None:
    """A few words learned, and their loss."""
    fastrnn.models.Word2Vec(
        [["a", "b", "c", "a"]] * 3, vector_size=3, min_count=1, workers=1, epochs=1,
        sg=draw.below(2), hs=draw.below(2), negative=draw.below(3),
    )  # fmt: skip


WORK = (_layer, _layer, _operation, _attention_step, _optimiser, _words)
