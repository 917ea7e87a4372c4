"""What each variant of a cell costs beside the plain cell: ``python -m bench.bench_variants``.

All take turns in one process, round by round, so that what the machine does to one it does to all;
a figure is the least processor time, of all threads together, as a multiple of the plain cell's of
the same family. Where a mask is "drawn", the drawing is part of it. That and layer normalisation
are of layers, and so is the plain cell that they are compared with. Run under pytest, one small
round shows that every variant still runs.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from bench.machine import describe

STEEP = (("hard_sigmoid", 0.25, 0.5), "elu", ("scaled_tanh", 1.2, 0.8))
# what it is compared with, options of the function (w_peephole and w_hr by their names) or of a
# layer, masks by their letters
VARIANTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "lstm": ("lstm", {}, ""),
    "lstm peephole": ("lstm", {"w_peephole": "diagonal"}, ""),
    "lstm full peephole": ("lstm", {"w_peephole": "full"}, ""),
    "lstm projection H/2": ("lstm", {"w_hr": 2}, ""),
    "lstm clip": ("lstm", {"clip": 3.0}, ""),
    "lstm other activations": ("lstm", {"activations": STEEP}, ""),
    "lstm input_forget": ("lstm", {"input_forget": True}, ""),
    "lstm recurrent dropout": ("lstm", {}, "m"),
    "lstm zoneout": ("lstm", {}, "hc"),
    "lstm weight drop": ("lstm", {}, "w"),
    "lstm layer norm": ("lstm layer", {"layer_norm": True}, ""),
    "lstm layer": ("lstm layer", {}, ""),
    "lstm recurrent dropout drawn": ("lstm layer", {"recurrent_dropout": 0.3}, ""),
    "lstm zoneout drawn": ("lstm layer", {"zoneout": 0.1}, ""),
    "lstm weight drop drawn": ("lstm layer", {"weight_drop": 0.3}, ""),
    "gru": ("gru", {}, ""),
    "gru clip": ("gru", {"clip": 3.0}, ""),
    "gru recurrent dropout": ("gru", {}, "m"),
    "gru zoneout": ("gru", {}, "h"),
    "gru layer norm": ("gru layer", {"layer_norm": True}, ""),
    "gru layer": ("gru layer", {}, ""),
    "gru recurrent dropout drawn": ("gru layer", {"recurrent_dropout": 0.3}, ""),
    "gru zoneout drawn": ("gru layer", {"zoneout": 0.1}, ""),
    "gru weight drop drawn": ("gru layer", {"weight_drop": 0.3}, ""),
    "gru reset before": ("gru", {"reset_after": False}, ""),
    "gru reset before recurrent dropout": ("gru reset before", {"reset_after": False}, "m"),
    "gru reset before layer norm": ("gru layer", {"layer_norm": True, "reset_after": False}, ""),
    "rnn": ("rnn", {}, ""),
    "rnn clip": ("rnn", {"clip": 3.0}, ""),
    "rnn zoneout": ("rnn", {}, "h"),
    "rnn recurrent dropout": ("rnn", {}, "m"),
    "rnn layer norm": ("rnn layer", {"layer_norm": True}, ""),
    "rnn layer": ("rnn layer", {}, ""),
    "rnn recurrent dropout drawn": ("rnn layer", {"recurrent_dropout": 0.3}, ""),
    "rnn zoneout drawn": ("rnn layer", {"zoneout": 0.1}, ""),
    "rnn weight drop drawn": ("rnn layer", {"weight_drop": 0.3}, ""),
}
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def prepare(name: str, T: int, N: int, H: int, training: bool, threads: int) -> Callable[[], None]:
    """Return a call of one variant on so many threads at most, I = H, in float32."""
    base, options, letters = VARIANTS[name]
    family = base.split()[0]
    rng = np.random.default_rng(0)
    if base.endswith("layer"):
        return prepare_layer(family, options, rng.standard_normal((T, N, H)), training, threads)

    def draw(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 0.1).astype(np.float32)

    P = H // options["w_hr"] if "w_hr" in options else H
    rows = GATES[family] * H
    given: dict[str, Any] = options | {"x": draw(T, N, H), "w_ih": draw(rows, H)}
    given |= {"w_hh": draw(rows, P), "b_ih": draw(rows), "b_hh": draw(rows), "num_threads": threads}
    if "w_hr" in options:
        given["w_hr"] = draw(P, H)
    if "w_peephole" in options:
        given["w_peephole"] = draw(3 if options["w_peephole"] == "diagonal" else 3 * H, H)
    if letters:
        keep = (rng.random((T, N, H)) < 0.1).astype(np.float32)
        given["masks"] = fastrnn.Masks(
            np.ones((N, P), np.float32) if "m" in letters else None,
            keep if "h" in letters else None,
            keep if "c" in letters else None,
            np.ones((rows, P), np.float32) if "w" in letters else None,
        )
    dy = draw(T, N, P)
    forward, backward = (getattr(fastrnn, f"{family}_{way}") for way in ("forward", "backward"))

    def train() -> None:
        backward(forward(**given)[-1], dy=dy)

    def infer() -> None:
        getattr(fastrnn, family)(**given)

    return train if training else infer


def prepare_layer(
    family: str, options: dict[str, Any], x: np.ndarray, training: bool, threads: int
) -> Callable[[], None]:
    """Return the same of what only layers have; forward is that of training, which draws masks."""
    x = (x * 0.1).astype(np.float32)
    layer = getattr(fastrnn, family.upper())(x.shape[2], x.shape[2], **options)
    rng = np.random.default_rng(1)

    def train() -> None:
        with fastrnn.threads(threads):
            layer.backward(layer.forward(x, rng=rng)[-1], x)

    def infer() -> None:
        with fastrnn.threads(threads):
            layer.forward(x, rng=rng)

    return train if training else infer


def measure(
    T: int, N: int, H: int, training: bool, rounds: int, threads: int = 1
) -> dict[str, float]:
    """Return each variant's time as a multiple of the plain cell's."""
    calls = {name: prepare(name, T, N, H, training, threads) for name in VARIANTS}
    for call in calls.values():
        call()  # packs, and takes memory
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()  # the first after another one finds the caches and the kept memory different
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    least = {name: min(found) for name, found in times.items()}
    return {name: least[name] / least[VARIANTS[name][0]] for name in calls}


def main() -> None:
    """Measure, print a table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="at most; the plan may take fewer")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    columns = {
        f"{'training' if training else 'forward'} H{H}": measure(
            given.steps, given.batch, H, training, given.rounds, given.threads
        )
        for H in given.hidden
        for training in (False, True)
    }
    print(f"{'variant':36}" + "".join(f"{title:>16}" for title in columns))
    for name in VARIANTS:
        print(f"{name:36}" + "".join(f"{ratios[name]:15.2f}x" for ratios in columns.values()))
    if given.out is not None:
        sizes = {
            "T": given.steps,
            "N": given.batch,
            "threads": given.threads,
            "rounds": given.rounds,
        }
        found = {"machine": describe().cpu, "isa": fastrnn.isa(), **sizes, "ratios": columns}
        given.out.write_text(json.dumps(found, indent=1) + "\n")


def test_every_variant_runs() -> None:
    ratios = measure(T=3, N=2, H=8, training=True, rounds=1)
    assert all(ratio > 0 for ratio in ratios.values())


if __name__ == "__main__":
    main()
