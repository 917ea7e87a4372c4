"""Spelling to pronunciation on the standard split of CMUdict, several references.

A bidirectional LSTM encoder and an attentive LSTM decoder. Settings are chosen on 2,670 words of
the training part (by hash), never on the test. ``--hidden 128 --words 20000`` is the short version.
"""

import hashlib
import sys

import _translator
import g2p
from bench.acceptance import _frame

FOLDER = "g2p-cmudict"
DEV = 2_670


def table(text: str) -> dict[str, list[str]]:
    """Words with all their pronunciations, in small letters as the demo has them."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        word, spoken = line.split("\t")
        if spoken not in found.setdefault(word.lower(), []):
            found[word.lower()].append(spoken)
    return found


def by_hash(words: list[str]) -> list[str]:
    """The words in an order that no seed changes."""
    return sorted(words, key=lambda word: hashlib.sha256(word.encode()).hexdigest())


def measure(bench: _frame.Frame) -> None:
    """Train with and without attention, and judge on the test words."""
    given = bench.given
    learned = table(bench.read(f"{FOLDER}/g014b2b.train", lines=113_438))
    judged = table(bench.read(f"{FOLDER}/g014b2b.test", lines=12_753))
    assert not learned.keys() & judged.keys()
    order = by_hash(list(learned))
    dev, train = order[:DEV], order[DEV:][: given.words]
    bench.configuration = {
        "hidden_size": given.hidden, "num_layers": given.layers, "epochs": given.epochs,
        "N": given.batch, "rate": given.rate, "dropout": given.dropout, "beam_size": given.beam,
        "train words": len(train), "dev words": DEV, "kinds": given.kinds,
    }  # fmt: skip
    everything = {**learned, **judged} if given.words is None else learned
    found: dict[str, dict[int, float]] = {}
    for seed in bench.seeds:
        for kind in given.kinds.split(","):
            model = g2p.made(
                kind, everything, seed, given.hidden, num_layers=given.layers,
                dropout=given.dropout,
            )  # fmt: skip
            with bench.run(kind, seed, parameters=model.parameter_count):
                _translator.fit(
                    model, *g2p.every(train, learned), epochs=given.epochs, seed=seed,
                    N=given.batch, rate=given.rate, seconds=given.seconds,
                )  # fmt: skip
            wer, per = g2p.error_rates(model, dev, learned)
            bench.record(f"dev WER greedy, {kind}", seed, 100 * wer)
            wer, per = g2p.error_rates(
                model, list(judged), judged, beam_size=given.beam, length_penalty="avg"
            )
            bench.record(f"WER, {kind}", seed, 100 * wer)
            bench.record(f"PER, {kind}", seed, 100 * per)
            found.setdefault(kind, {})[seed] = wer
            if seed == bench.seeds[0]:
                chosen = by_hash(list(judged))[:10]
                said = _translator.texts(model, chosen, beam_size=given.beam)
                answers = [[text, *judged[word]] for text, word in zip(said, chosen, strict=True)]
                bench.samples[kind] = dict(zip(chosen, answers, strict=True))
        if {"additive", "none"} <= found.keys():
            gain = 100 * (found["none"][seed] - found["additive"][seed])
            bench.record("WER none minus additive", seed, gain)
    if given.words is None:
        bench.gate("WER, additive", at_most=27.0)
        bench.gate("PER, additive", at_most=7.0)
    bench.gate("WER none minus additive", at_least=1.0, calibrated=False)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = _frame.options("g2p", __doc__)
    _frame.trained(parser, epochs=12, rate=2e-3)
    add = parser.add_argument
    add("--words", type=int, default=None, help="of the training part; default: all")
    add("--hidden", type=int, default=256)
    add("--layers", type=int, default=1)
    add("--batch", type=int, default=128)
    add("--dropout", type=float, default=0.2)
    add("--beam", type=int, default=5)
    add("--kinds", default="additive,none", help="scores of attention, or none")
    return _frame.main("g2p", __doc__, measure, argv=argv, parser=parser, budget=1800)


if __name__ == "__main__":
    sys.exit(main())
