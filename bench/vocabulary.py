"""A language model of many words: time and memory of an update, beside PyTorch's.

``python -m bench.vocabulary`` takes turns: the whole softmax, a sample of it, and the same model in
PyTorch with its fused Adam, each in a process of its own. It prints the median of the updates by
the clock, their processor time, and the peak of resident memory. LSTM, H = E = 256, 35 steps, 32
rows, gradients clipped to norm 1; words by Zipf's law. PyTorch is left out where it is missing.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

H, T, N = 256, 35, 32
WARM = 2  # updates before the clock starts
KINDS = ("full", "sampled", "torch")


def batches(V: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inputs and targets of four updates."""
    rng = np.random.default_rng(0)
    chances = 1 / np.arange(1, V + 1)
    tokens = rng.choice(V, (4, T + 1, N), p=chances / chances.sum())
    return [(each[:-1], each[1:]) for each in tokens]


def updates_of_fastrnn(kind: str, V: int, samples: int) -> Callable[[], Any]:
    """What makes one update."""
    from fastrnn.models import LanguageModel
    from fastrnn.train import Adam, Trainer

    rng = np.random.default_rng(0)
    options = {"loss": "sampled", "num_samples": samples} if kind == "sampled" else {}
    model = LanguageModel("lstm", V, H, rng=rng, **options)
    trainer = Trainer(model, Adam(), max_norm=1.0, rng=rng, progress=False)
    data = batches(V)
    return lambda: trainer.fit(data, updates=trainer.updates + 1)


def updates_of_torch(V: int, threads: int) -> Callable[[], Any]:
    """The same in PyTorch."""
    import torch

    torch.set_num_threads(threads)
    embedding, layer = torch.nn.Embedding(V, H), torch.nn.LSTM(H, H)
    out = torch.nn.Linear(H, V)
    weights = [w for m in (embedding, layer, out) for w in m.parameters()]
    adam = torch.optim.Adam(weights, fused=True)
    data = [tuple(map(torch.from_numpy, pair)) for pair in batches(V)]
    done = 0

    def update() -> None:
        nonlocal done
        x, targets = data[done % len(data)]
        done += 1
        adam.zero_grad()
        scores = out(layer(embedding(x))[0])
        torch.nn.functional.cross_entropy(scores.view(-1, V), targets.reshape(-1)).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()

    return update


def work(kind: str, V: int, updates: int, threads: int, samples: int) -> dict[str, Any]:
    """Milliseconds of each update, by the clock and of the processor, and GiB at the peak."""
    if kind == "torch":
        update = updates_of_torch(V, threads)
    else:
        update = updates_of_fastrnn(kind, V, samples)
    for _ in range(WARM):
        update()
    clock, processor = [], []
    for _ in range(updates):
        before, used = time.perf_counter(), time.process_time()
        update()
        clock.append(1e3 * (time.perf_counter() - before))
        processor.append(1e3 * (time.process_time() - used))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"ms": clock, "processor_ms": processor, "GiB": peak}


def turn(kind: str, given: argparse.Namespace, V: int) -> dict[str, Any]:
    """One turn, in a process of its own."""
    job = json.dumps([kind, V, given.updates, given.threads, given.samples])
    env = os.environ | {"FASTRNN_NUM_THREADS": str(given.threads)}
    command = [sys.executable, "-m", "bench.vocabulary", "--worker", job]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, nargs="+", default=[50_000, 200_000], metavar="V")
    parser.add_argument("--samples", type=int, default=2048, metavar="K")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--updates", type=int, default=5, help="in a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(work(*json.loads(given.worker))))
        return
    kinds = [kind for kind in KINDS if kind != "torch" or find_spec("torch")]
    for V in given.words:
        turns = [[turn(kind, given, V) for kind in kinds] for _ in range(given.rounds)]
        for kind, results in zip(kinds, zip(*turns, strict=True), strict=True):
            ms, used = (
                statistics.median([ms for each in results for ms in each[what]])
                for what in ("ms", "processor_ms")
            )
            peak = max(each["GiB"] for each in results)
            print(f"V {V:,} {kind}: {ms:,.0f} ms, {used:,.0f} of the processor, {peak:.2f} GiB")


if __name__ == "__main__":
    main()
