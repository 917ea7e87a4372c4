"""Loss and gradient of a whole model: fastrnn, its NumPy twins, an idiomatic PyTorch program.

A character language model (LSTM or GRU), and a classifier of ragged series, as they train. By
default they are small; ``FASTRNN_BENCH=full`` takes the sizes of the experiments. Everybody gets as
many threads as this process may use CPUs, has the same weights, and must give the same loss.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastrnn
from bench import baselines
from bench.torch_modules import modules_of
from fastrnn import ops
from fastrnn.models import LanguageModel, SequenceClassifier

FULL = os.environ.get("FASTRNN_BENCH") == "full"
THREADS = baselines.usable_cpus()
Problem = tuple[Any, tuple[Any, ...]]


def char_lm(cell: str) -> Problem:
    """V = 65 symbols, 32 streams of 64 steps."""
    V, H, T, N = (65, 256, 64, 32) if FULL else (65, 32, 16, 8)
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, V, (T + 1, N))
    return LanguageModel(cell, V, H, rng=rng), (tokens[:-1], tokens[1:])


def speakers(cell: str) -> Problem:
    """Series of 12 channels and 7 to 29 frames, 9 classes."""
    H, N = (100, 32) if FULL else (16, 8)
    rng = np.random.default_rng(0)
    lengths = rng.integers(7, 30, N)
    x = rng.standard_normal((int(lengths.max()), N, 12), dtype=np.float32)
    model = SequenceClassifier(cell, 9, H, input_size=12, rng=rng)
    return model, (x, rng.integers(0, 9, N), lengths)


def run_fastrnn(model: Any, batch: tuple[Any, ...]) -> Callable[[], float]:
    differentiate = ops.value_and_grad(model.loss)

    def update() -> float:
        with fastrnn.threads(THREADS):
            return float(differentiate(model.params, batch)[0])

    return update


def run_twin(model: Any, batch: tuple[Any, ...]) -> Callable[[], float]:
    update = run_fastrnn(model, batch)

    def on_the_twins() -> float:
        with fastrnn.use_backend("reference"):
            return update()

    return on_the_twins


def run_torch(model: Any, batch: tuple[Any, ...]) -> Callable[[], float]:
    """Modules, as anyone would write them; ragged series are packed."""
    pytest.importorskip("torch")
    torch, modules, weights = modules_of(model)
    torch.set_num_threads(THREADS)
    nn, layer = torch.nn, model.config["cell"].upper()
    x, targets, *lengths = (torch.from_numpy(array) for array in batch)

    def update() -> float:
        for weight in weights:
            weight.grad = None
        if lengths:
            pack = nn.utils.rnn.pack_padded_sequence
            _, state = modules["rnn"](pack(x, lengths[0], enforce_sorted=False))
            y = (state[0] if layer == "LSTM" else state)[-1]
        else:
            y, _ = modules["rnn"](modules["embedding"](x))
        scores = modules["out"](y)
        loss = nn.functional.cross_entropy(scores.flatten(0, -2), targets.flatten())
        loss.backward()
        return float(loss.detach())

    return update


@pytest.mark.filterwarnings("ignore")  # what other libraries warn of is not ours to fail on
@pytest.mark.benchmark(max_time=1.0, min_rounds=3, warmup=True)
@pytest.mark.parametrize("run", [run_fastrnn, run_twin, run_torch])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("make", [char_lm, speakers])
def test_loss_and_gradient(
    benchmark: Any, make: Callable[[str], Problem], cell: str, run: Any
) -> None:
    model, batch = make(cell)
    update = run(model, batch)
    expected = run_fastrnn(model, batch)()
    assert update() == pytest.approx(expected, rel=1e-5)
    benchmark.group = f"{make.__name__} {cell}"
    benchmark(update)
    benchmark.extra_info.update(
        {"parameters": model.parameter_count, "steps": model.tokens(batch), "threads": THREADS}
    )
