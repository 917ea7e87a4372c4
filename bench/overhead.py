"""What one call of an operation costs beside its arithmetic, on arrays of a few numbers.

    python -m bench.overhead [--rounds 15] [NAME ...]

A call counts from `ops.NAME(…)` on traced arrays to its gradients on the way back: the checks, the
results, the node of autograd, both calls of the core with their arithmetic, and the gradients. It
is the time of a trace with the call less that of the same trace without it, processor time, T=8,
N=1, I=4, H=8, float32. Beside it, by the same subtraction: a primitive made by autograd's own
`primitive` and `defvjp_argnums` that takes as many arrays and does nothing, which is what autograd
itself asks for one call; and the time inside of the core's functions, where the arithmetic is.
Below them: calls without autograd of one step of one row, T=1, processor time, whole.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums, primitive

import fastrnn
from fastrnn import _core, ops
from fastrnn.ops._primitive import Tracing, differentiable

RNG = np.random.default_rng(0)
T, N, I, H, V = 8, 1, 4, 8, 20
TARGETS, IDS = RNG.integers(0, H, T), RNG.integers(0, V, T)
LAYER = fastrnn.LSTM(I, H)
Run = Callable[[list[Any]], Any]


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def weights(G: int) -> list[np.ndarray]:
    """Return x and the weights of a cell of G gates."""
    return [normal(T, N, I), normal(G * H, I), normal(G * H, H), normal(G * H), normal(G * H)]


CASES: dict[str, tuple[list[np.ndarray], Run]] = {
    "linear": ([normal(T, I), normal(H, I), normal(H)], lambda a: ops.linear(*a)),
    "dropout": ([normal(T, H)], lambda a: ops.dropout(a[0], rng=RNG)),
    "softmax_cross_entropy": (
        [normal(T, H)], lambda a: ops.softmax_cross_entropy(a[0], TARGETS),
    ),
    "embedding": ([normal(V, H)], lambda a: ops.embedding(a[0], IDS)),
    "rnn": (weights(1), lambda a: ops.rnn(*a)[0]),
    "gru": (weights(3), lambda a: ops.gru(*a)[0]),
    "lstm": (weights(4), lambda a: ops.lstm(*a)[0]),
    "LSTM.apply": (
        [normal(T, N, I), *LAYER.params.values()],
        lambda a: LAYER.apply(dict(zip(LAYER.params, a[1:], strict=True)), a[0])[0],
    ),
}  # fmt: skip


def plain_calls() -> dict[str, Callable[[], Any]]:
    """Return calls without autograd, of one step of one row."""
    x, dy, arrays = normal(1, N, I), normal(1, N, H), weights(4)[1:]
    layer = fastrnn.LSTM(I, H)  # whose weights nobody else has, so that they stay packed
    stream, x_t, out = layer.stream(N), x[0], np.empty((N, H), np.float32)
    return {
        "layer(x)": lambda: layer(x),
        "forward + backward": lambda: layer.backward(layer.forward(x)[2], dy),
        "fastrnn.lstm": lambda: fastrnn.lstm(x, *arrays),
        "stream.step": lambda: stream.step(x_t),
        "stream.step(out=)": lambda: stream.step(x_t, out),
    }


def whole(call: Callable[[], Any], calls: int = 2000) -> float:
    """Return the microseconds of processor time of one call."""
    begun = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - begun) / calls * 1e6


def ending(arrays: list[Any]) -> Callable[..., Any]:
    """Return an operation that takes arrays like these and does nothing, there or back."""
    gradients = tuple(np.ones_like(array) for array in arrays)
    zero = np.float32(0)
    return differentiable("ending", lambda *_: zero, lambda *_: gradients)


def nothing(arrays: list[np.ndarray]) -> Run:
    """Return a primitive of autograd's own making that does nothing."""
    gradients, result = [np.ones_like(array) for array in arrays], normal(T, H)
    function = primitive(lambda *_: result)
    defvjp_argnums(function, lambda argnums, *_: lambda _: [gradients[i] for i in argnums])
    return lambda leaves: function(*leaves)


def once(arrays: list[np.ndarray], run: Run | None, end: Callable[..., Any]) -> Any:
    """Trace one run, and go back."""
    tracing = Tracing()
    with tracing:
        leaves = [tracing.leaf(array) for array in arrays]
        result = end(*leaves) if run is None else end(run(leaves))
    return tracing.back(result)[0]


def microseconds(arrays: list[np.ndarray], run: Run | None, calls: int = 300) -> float:
    """Return the processor time of one trace."""
    end = ending(arrays if run is None else [run(arrays)])
    for _ in range(20):
        once(arrays, run, end)
    begun = time.process_time()
    for _ in range(calls):
        once(arrays, run, end)
    return (time.process_time() - begun) / calls * 1e6


def in_core(arrays: list[np.ndarray], run: Run, calls: int = 2000) -> float:
    """Return the microseconds of a trace inside of functions of the core, the median of many."""
    end, spent = ending([run(arrays)]), list[int]()
    now = time.perf_counter_ns
    functions = {name: f for name, f in vars(_core).items() if type(f) is type(_core.isa)}

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            begun = now()
            result = function(*args)
            spent[-1] += now() - begun
            return result

        return call

    for name, function in functions.items():
        setattr(_core, name, timed(function))
    try:
        while len(spent) < calls:
            spent.append(0)
            once(arrays, run, end)
    finally:
        for name, function in functions.items():
            setattr(_core, name, function)
    return statistics.median(spent) / 1e3


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    plain = plain_calls()
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join([*CASES, *plain])}"
    )
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(argv)
    title = "us a call: median (least)"
    print(f"{title:<26}{'arrays':>7}{'fastrnn':>16}{'does nothing':>16}{'core':>7}")
    with fastrnn.threads(1):
        for name in options.names or [*CASES, *plain]:
            if name in plain:
                rounds_of_one = [whole(plain[name]) for _ in range(options.rounds)]
                column = f"{statistics.median(rounds_of_one):9.1f} ({min(rounds_of_one):4.1f})"
                print(f"{name:<33}{column:>16}", flush=True)
                continue
            arrays, run = CASES[name]
            idle = nothing(arrays)
            rounds = [
                [microseconds(arrays, each) for each in (run, idle, None)]
                for _ in range(options.rounds)
            ]
            columns = []
            for k in (0, 1):
                found = [one[k] - one[2] for one in rounds]
                least = min(one[k] for one in rounds) - min(one[2] for one in rounds)
                columns.append(f"{statistics.median(found):9.1f} ({least:4.1f})")
            inside = in_core(arrays, run)
            print(
                f"{name:<26}{len(arrays):>7}{columns[0]:>16}{columns[1]:>16}{inside:7.1f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
