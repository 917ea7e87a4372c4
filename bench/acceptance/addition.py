"""Sums as texts without attention: plain, read backwards, and with peeking.

H = 128 with peeking, as many parameters for the others, E = 16, Adam, clipping at 5, 25 epochs over
45,000 of the 50,000 sums of the file; the other 5,000 are decoded freely.
"""

import sys

import numpy as np

import _translator
import addition_seq2seq
from bench.acceptance import _frame

FILE = "dates-additions/addition.txt"


def measure(bench: _frame.Frame) -> None:
    """Train each kind once a seed, and hold it to its figure."""
    lines = bench.read(FILE, lines=50_000).splitlines()
    order = np.random.default_rng(0).permutation(len(lines))
    pairs = [[part.strip() for part in lines[i].split("_")] for i in order]
    learned, judged = _frame.columns(pairs[:45_000]), _frame.columns(pairs[45_000:])
    bench.configuration = {
        "hidden_size": {kind: hidden for kind, (hidden, _) in addition_seq2seq.KINDS.items()},
        "embedding_size": 16, "epochs": bench.given.epochs, "N": 128, "rate": bench.given.rate,
        "max_norm": 5.0, "split": "default_rng(0).permutation, first 45,000",
    }  # fmt: skip
    found: dict[str, dict[int, float]] = {}
    for seed in bench.seeds:
        for kind in addition_seq2seq.KINDS:
            model = addition_seq2seq.made(kind, seed)
            with bench.run(kind, seed, parameters=model.parameter_count):
                _translator.fit(
                    model, *learned, epochs=bench.given.epochs, seed=seed, rate=bench.given.rate,
                    seconds=bench.given.seconds,
                )  # fmt: skip
            right = _translator.exact(model, *judged)
            bench.record(f"exact, {kind}", seed, right)
            found.setdefault(kind, {})[seed] = right
        bench.record("reversed minus plain", seed, found["reversed"][seed] - found["plain"][seed])
        peek = found["reversed + peek"][seed]
        bench.record("peek minus reversed", seed, peek - found["reversed"][seed])
    bench.gate("exact, reversed + peek", at_least=0.97 if bench.given.epochs < 100 else 0.99)
    bench.gate("reversed minus plain", at_least=0.0)
    bench.gate("peek minus reversed", at_least=0.0)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = _frame.options("addition", __doc__)
    _frame.trained(parser, epochs=25, rate=1e-2)
    return _frame.main("addition", __doc__, measure, argv=argv, parser=parser, budget=120)


if __name__ == "__main__":
    sys.exit(main())
