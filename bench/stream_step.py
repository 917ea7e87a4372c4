"""A step of an LSTM's stream beside one of the whole sequence: ``python -m bench.stream_step``.

Each process makes a layer of its own, for where the system puts its weights shows in the result. In
it the whole sequence, as many steps of a stream with ``out=``, and as many calls of ONNX Runtime
where that is installed take turns. Ratios are of the least times, and medians of the rounds' own,
which a busy machine moves more; one thread, N = 1, I = H, float32. The limits at H = 128: 1.3 times
the whole sequence, ONNX Runtime 5 times the stream.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fastrnn
from bench.baselines import make_layer, peer_class, problem
from bench.cases import Case
from bench.machine import describe


def turns(H: int, steps: int) -> dict[str, Callable[[], object]]:
    """What takes turns: each callable is `steps` steps of the same layer."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((steps, 1, H), dtype=np.float32)
    given = problem(Case("stream", "lstm", 1, 1, H, H, stream=True))
    layer = make_layer(given.case)
    layer.load_state_dict(given.weights)
    stream, out, rows = layer.stream(), np.empty((1, H), np.float32), list(x)

    def step_by_step() -> None:
        for x_t in rows:
            stream.step(x_t, out)

    found: dict[str, Callable[[], object]] = {"whole": lambda: layer(x), "stream": step_by_step}
    peer = peer_class("onnxruntime")
    if peer.importable():
        call = peer().prepare(given).run

        def calls() -> None:
            for _ in rows:
                call()

        found["ONNX Runtime"] = calls
    return found


def measure(H: int, steps: int, rounds: int) -> dict[str, float]:
    """Least microseconds a step, and the medians of the rounds' ratios."""
    times: dict[str, list[float]] = {}
    with fastrnn.threads(1):
        everybody = turns(H, steps)
        for run in everybody.values():
            run()
        for _ in range(rounds):
            for name, run in everybody.items():
                start = time.perf_counter()
                run()
                times.setdefault(name, []).append((time.perf_counter() - start) / steps * 1e6)
    found = {f"{name} us": min(spent) for name, spent in times.items()}
    pairs = {
        "stream / whole": ("stream", "whole"),
        "ONNX Runtime / stream": ("ONNX Runtime", "stream"),
    }
    for title, (above, below) in pairs.items():
        if above in times:
            ratios = [a / b for a, b in zip(times[above], times[below], strict=True)]
            found[title] = min(times[above]) / min(times[below])
            found[f"{title}, median"] = statistics.median(ratios)
    return found


def main() -> None:
    """Measure in several processes, print a line for each, and write all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--processes", type=int, default=7)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    if given.processes == 0:  # one of them
        print(json.dumps(measure(given.hidden, given.steps, given.rounds)))
        return
    sizes = [f"--{name}={getattr(given, name)}" for name in ("hidden", "steps", "rounds")]
    command = [sys.executable, "-m", "bench.stream_step", "--processes=0", *sizes]
    found = []
    for _ in range(given.processes):
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found.append(json.loads(text))
        print(", ".join(f"{k} {v:.2f}" for k, v in found[-1].items()), flush=True)
    if given.out is not None:
        head = {"machine": describe().cpu, "isa": fastrnn.isa(), "H": given.hidden}
        given.out.write_text(json.dumps(head | {"processes": found}, indent=1) + "\n")


def test_a_stream_and_the_whole_sequence_are_timed() -> None:
    found = measure(H=8, steps=3, rounds=2)
    assert found["stream us"] > 0
    assert found["stream / whole"] > 0


if __name__ == "__main__":
    main()
