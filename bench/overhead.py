"""What one call of an operation costs beside its arithmetic, on arrays of a few numbers.

    OPENBLAS_NUM_THREADS=1 python -m bench.overhead [--rounds 15] [NAME ...]

A call counts from `ops.NAME(…)` on traced arrays to its gradients on the way back: the checks, the
results, the node of autograd, both calls of the core with their arithmetic, and the gradients. It
is the time of a trace with the call less that of the same trace without it, processor time, T=8,
N=1, I=4, H=8, float32. Beside it, by the same subtraction: a primitive made by autograd's own
`primitive` and `defvjp_argnums` that takes as many arrays and does nothing, which is what autograd
itself asks for one call; and the time inside of the core's functions, where the arithmetic is.
Below them: calls without autograd of one step of one row, T=1, processor time, whole. Last: a step
of a cell of as many units as inputs by the functions of arrays, beside the same in NumPy by hand.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
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


def weights(G: int, I: int = I, H: int = H) -> list[np.ndarray]:
    """Return the weights and biases of a cell of G gates."""
    return [normal(G * H, I) / I, normal(G * H, H) / H, normal(G * H), normal(G * H)]


CASES: dict[str, tuple[list[np.ndarray], Run]] = {
    "linear": ([normal(T, I), normal(H, I), normal(H)], lambda a: ops.linear(*a)),
    "dropout": ([normal(T, H)], lambda a: ops.dropout(a[0], rng=RNG)),
    "softmax_cross_entropy": (
        [normal(T, H)], lambda a: ops.softmax_cross_entropy(a[0], TARGETS),
    ),
    "embedding": ([normal(V, H)], lambda a: ops.embedding(a[0], IDS)),
    "rnn": ([normal(T, N, I), *weights(1)], lambda a: ops.rnn(*a)[0]),
    "gru": ([normal(T, N, I), *weights(3)], lambda a: ops.gru(*a)[0]),
    "lstm": ([normal(T, N, I), *weights(4)], lambda a: ops.lstm(*a)[0]),
    "LSTM.apply": (
        [normal(T, N, I), *LAYER.params.values()],
        lambda a: LAYER.apply(dict(zip(LAYER.params, a[1:], strict=True)), a[0])[0],
    ),
}  # fmt: skip


def plain_calls() -> dict[str, Callable[[], Any]]:
    """Return calls without autograd, of one step of one row."""
    x, dy, arrays = normal(1, N, I), normal(1, N, H), weights(4)
    layer = fastrnn.LSTM(I, H)  # whose weights nobody else has, so that they stay packed
    stream, x_t, out = layer.stream(N), x[0], np.empty((N, H), np.float32)
    return {
        "layer(x)": lambda: layer(x),
        "forward + backward": lambda: layer.backward(layer.forward(x)[2], dy),
        "fastrnn.lstm": lambda: fastrnn.lstm(x, *arrays),
        "stream.step": lambda: stream.step(x_t),
        "stream.step(out=)": lambda: stream.step(x_t, out),
    }


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def rnn_by_hand(x: np.ndarray, h: np.ndarray, *w: np.ndarray) -> np.ndarray:
    return np.tanh(x @ w[0].T + h @ w[1].T + w[2] + w[3])


def gru_by_hand(x: np.ndarray, h: np.ndarray, *w: np.ndarray) -> np.ndarray:
    of_x, of_h = np.split(x @ w[0].T + w[2], 3, 1), np.split(h @ w[1].T + w[3], 3, 1)
    r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
    n = np.tanh(of_x[2] + r * of_h[2])
    return (1 - z) * n + z * h


def lstm_by_hand(
    x: np.ndarray, state: tuple[np.ndarray, np.ndarray], *w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    h, c = state
    i, f, g, o = np.split(x @ w[0].T + h @ w[1].T + w[2] + w[3], 4, 1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def cells() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return single steps of one row: ours, and the same in NumPy by hand."""
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {}
    for H in (32, 64, 128, 256, 512):
        x, h, c = normal(1, H), normal(1, H), normal(1, H)
        for G, state, ours, by_hand in (
            (1, h, fastrnn.rnn_cell, rnn_by_hand),
            (3, h, fastrnn.gru_cell, gru_by_hand),
            (4, (h, c), fastrnn.lstm_cell, lstm_by_hand),
        ):
            w = weights(G, H, H)
            pairs[f"{ours.__name__}, {H} units"] = (
                partial(ours, x, state, *w),
                partial(by_hand, x, state, *w),
            )
    return pairs


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
    plain, steps = plain_calls(), cells()
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join([*CASES, *plain, *steps])}"
    )
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(argv)
    title = "us a call: median (least)"
    print(f"{title:<26}{'arrays':>7}{'fastrnn':>16}{'does nothing':>16}{'core':>7}")
    with fastrnn.threads(1):
        for name in options.names or [*CASES, *plain, *steps]:
            if name in steps:
                rounds_of_two = [
                    [whole(call, 300) for call in steps[name]] for _ in range(options.rounds)
                ]
                columns = [
                    f"{statistics.median(one):9.1f} ({min(one):4.1f})"
                    for one in zip(*rounds_of_two, strict=True)
                ]
                print(f"{name:<33}{columns[0]:>16}{columns[1]:>16} by hand", flush=True)
                continue
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
