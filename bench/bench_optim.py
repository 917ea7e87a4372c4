"""One Adam update, and the global norm, of a model's parameters: fastrnn, NumPy, PyTorch's fused.

By default a small model; ``FASTRNN_BENCH=full`` takes one of 10 million parameters, LSTM-1024 with
its embedding and output layer. Everybody gets as many threads as this process may use CPUs. Every
run starts from the same numbers, and the answer is compared with the twin's in float64.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench import baselines
from fastrnn import reference, threads
from fastrnn.train import Adam, global_norm

FULL = os.environ.get("FASTRNN_BENCH") == "full"
THREADS = baselines.usable_cpus()
Arrays = dict[str, np.ndarray]
Options = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}


def draw(seed: int) -> Arrays:
    """Standard normal numbers in the shapes of a language model."""
    V, E, H = (3700, 512, 1024) if FULL else (100, 32, 64)
    shapes = {
        "embedding": (V, E),
        "weight_ih_l0": (4 * H, E),
        "weight_hh_l0": (4 * H, H),
        "bias_ih_l0": (4 * H,),
        "bias_hh_l0": (4 * H,),
        "weight_out": (V // 2, H),
        "bias_out": (V // 2,),
    }
    rng = np.random.default_rng(seed)
    return {k: rng.standard_normal(shape).astype(np.float32) for k, shape in shapes.items()}


def size(arrays: Arrays) -> int:
    """How many parameters there are."""
    return sum(a.size for a in arrays.values())


def run_fastrnn(params: Arrays, grads: Arrays) -> Callable[[], None]:
    adam = Adam(**Options)

    def step() -> None:
        with threads(THREADS):
            adam.update(params, grads)

    return step


def run_twin(params: Arrays, grads: Arrays) -> Callable[[], None]:
    """The formula as one would write it down."""
    state = {
        name: {"exp_avg": np.zeros_like(p), "exp_avg_sq": np.zeros_like(p)}
        for name, p in params.items()
    }
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        for name in params:
            now, state[name] = reference.adam(
                params[name], grads[name], state[name], step=steps, **Options
            )
            params[name][...] = now

    return step


def run_numpy(params: Arrays, grads: Arrays) -> Callable[[], None]:
    """NumPy at its best: no temporaries, and the two corrections are numbers."""
    (beta1, beta2), steps = Options["betas"], 0
    m, v, room = ({k: np.zeros_like(p) for k, p in params.items()} for _ in range(3))

    def step() -> None:
        nonlocal steps
        steps += 1
        for name, g in grads.items():
            buffer = room[name]
            m[name] *= beta1
            m[name] += np.multiply(g, 1 - beta1, out=buffer)
            v[name] *= beta2
            np.multiply(g, g, out=buffer)
            buffer *= 1 - beta2
            v[name] += buffer
            np.sqrt(v[name], out=buffer)
            buffer *= (1 - beta2**steps) ** -0.5
            buffer += Options["eps"]
            np.divide(m[name], buffer, out=buffer)
            buffer *= Options["lr"] / (1 - beta1**steps)
            params[name] -= buffer

    return step


def run_torch(params: Arrays, grads: Arrays) -> Callable[[], None]:
    """PyTorch's fused kernel on the same memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch")
    torch.set_num_threads(THREADS)
    tensors = [torch.from_numpy(p).requires_grad_() for p in params.values()]
    for tensor, grad in zip(tensors, grads.values(), strict=True):
        tensor.grad = torch.from_numpy(grad)
    adam = torch.optim.Adam(tensors, fused=True, **Options)
    return adam.step  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore")  # what other libraries warn of is not ours to fail on
@pytest.mark.benchmark(max_time=1.0, min_rounds=5, warmup=True, group="Adam update")
@pytest.mark.parametrize("make", [run_fastrnn, run_twin, run_numpy, run_torch])
def test_adam(benchmark: Any, make: Callable[[Arrays, Arrays], Callable[[], None]]) -> None:
    params, grads = draw(1), draw(2)
    wide = {k: p.astype(np.float64) for k, p in params.items()}
    step, check = make(params, grads), run_twin(wide, grads)
    step()
    check()
    for name, p in params.items():
        np.testing.assert_allclose(p, wide[name], rtol=0, atol=2e-6)
    benchmark(step)
    benchmark.extra_info.update(
        {"parameters": size(params), "threads": THREADS, "bytes": 28 * size(params)}
    )


@pytest.mark.benchmark(max_time=0.5, min_rounds=5, warmup=True, group="global norm")
@pytest.mark.parametrize("who", ["fastrnn", "numpy"])
def test_global_norm(benchmark: Any, who: str) -> None:
    grads = draw(2)

    def by_numpy() -> float:
        return float(np.sqrt(sum(float(np.vdot(g, g)) for g in grads.values())))

    run = (lambda: global_norm(grads)) if who == "fastrnn" else by_numpy
    assert run() == pytest.approx(np.sqrt(size(grads)), rel=0.02)
    benchmark(run)
    benchmark.extra_info.update({"parameters": size(grads), "threads": THREADS})
