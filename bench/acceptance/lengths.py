"""Why attention: strings of 5 to 40 letters, copied and reversed.

Equal parameters and epochs with and without attention; what is right, by the length of the source.
"""

import sys

import numpy as np

import _translator
from bench.acceptance import _frame
from fastrnn import metrics
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq
from toys import pairs

BUCKETS = ((5, 10), (11, 20), (21, 30), (31, 40))
ALPHABET = "abcdefghijklmnop"


def made(kind: str, seed: int, hidden: int) -> Seq2Seq:
    """A model; without attention with as many parameters."""
    letters = Vocabulary(list(ALPHABET), level="character")

    def make(hidden: int, score: str | None = None) -> Seq2Seq:
        return Seq2Seq(
            "lstm", letters, letters, hidden, embedding_size=32, attention=score,
            rng=np.random.default_rng(seed),
        )  # fmt: skip

    attentive = make(hidden, "additive")
    if kind == "additive":
        return attentive
    return _translator.as_many(make, attentive.parameter_count)


def measure(bench: _frame.Frame) -> None:
    """Copy and reverse, with and without attention."""
    given = bench.given
    bench.configuration = {
        "alphabet": ALPHABET, "train": given.size, "test": 2_000, "hidden_size": given.hidden,
        "epochs": given.epochs, "N": 64, "rate": given.rate,
    }  # fmt: skip
    for task in ("copy", "reverse"):
        for seed in bench.seeds:
            one(bench, task, seed)
        bench.gate(f"{task}, additive, exact at 31-40", at_least=98.0)
        bench.gate(f"{task}, none, fall from 5-10 to 31-40", at_least=30.0)


def one(bench: _frame.Frame, task: str, seed: int) -> None:
    """One task and seed."""
    given, rng = bench.given, np.random.default_rng(1000 + seed)
    turn = task == "reverse"
    learned = pairs.copying(rng, given.size, alphabet=ALPHABET, reverse=turn)
    judged = pairs.copying(rng, 2_000, alphabet=ALPHABET, reverse=turn)
    lengths = np.array([len(text) for text in judged.sources])
    for kind in ("additive", "none"):
        model = made(kind, seed, given.hidden)
        with bench.run(f"{task}, {kind}", seed, parameters=model.parameter_count):
            _translator.fit(
                model, *learned, epochs=given.epochs, seed=seed, N=64, rate=given.rate,
                seconds=given.seconds,
            )  # fmt: skip
        said = _translator.texts(model, judged.sources)
        right = {}
        for low, high in BUCKETS:
            inside = np.flatnonzero((lengths >= low) & (lengths <= high))
            right[low] = 100 * metrics.exact_match(
                [said[i] for i in inside], [judged.targets[i] for i in inside]
            )
            bench.record(f"{task}, {kind}, exact at {low}-{high}", seed, right[low])
        bench.record(f"{task}, {kind}, fall from 5-10 to 31-40", seed, right[5] - right[31])


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = _frame.options("lengths", __doc__)
    _frame.trained(parser, epochs=10, rate=3e-3)
    parser.add_argument("--size", type=int, default=20_000, help="strings to learn from")
    parser.add_argument("--hidden", type=int, default=128)
    return _frame.main("lengths", __doc__, measure, argv=argv, parser=parser, budget=180)


if __name__ == "__main__":
    sys.exit(main())
