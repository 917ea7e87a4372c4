"""Dates in three spellings to ISO 8601: with attention, and where it looks.

H = 128, additive, 5 epochs over 45,000 of the 50,000 dates of the file. Judged on those of the
others whose text is not among the first; without attention as many parameters.
"""

import sys

import numpy as np

import _translator
import dates_attention
from bench.acceptance import _frame

FILE = "dates-additions/date.txt"


def measure(bench: _frame.Frame) -> None:
    """Train with and without attention, and measure the map."""
    lines = bench.read(FILE, lines=50_000).splitlines()
    order = np.random.default_rng(0).permutation(len(lines))
    pairs = [[part.strip() for part in lines[i].split("_")] for i in order]
    sources, targets = _frame.columns(pairs)
    seen = set(sources[:45_000])
    fresh = [pair for pair in pairs[45_000:] if pair[0] not in seen]
    asked, wanted = _frame.columns(fresh)
    bench.configuration = {
        "hidden_size": 128, "embedding_size": 32, "query": "current",
        "epochs": bench.given.epochs, "N": 128, "rate": bench.given.rate, "max_norm": 5.0,
        "judged": len(fresh),
    }  # fmt: skip
    for seed in bench.seeds:
        for kind in dates_attention.KINDS:
            model = dates_attention.made(kind, sources[:45_000], targets[:45_000], seed)
            with bench.run(kind, seed, parameters=model.parameter_count):
                _translator.fit(
                    model, sources[:45_000], targets[:45_000], epochs=bench.given.epochs,
                    seed=seed, rate=bench.given.rate, seconds=bench.given.seconds,
                )  # fmt: skip
            bench.record(f"exact on unseen, {kind}", seed, _translator.exact(model, asked, wanted))
            if kind == "attention":
                for name, share in dates_attention.own_field(model, asked).items():
                    bench.record(f"attention on the own field, {name}", seed, share)
    bench.gate("exact on unseen, attention", at_least=0.995)
    for name in ("year", "month", "day"):
        bench.gate(f"attention on the own field, {name}", at_least=0.8)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = _frame.options("dates", __doc__)
    _frame.trained(parser, epochs=5, rate=1e-2)
    return _frame.main("dates", __doc__, measure, argv=argv, parser=parser, budget=75)


if __name__ == "__main__":
    sys.exit(main())
