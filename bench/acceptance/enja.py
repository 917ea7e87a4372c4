"""English to Japanese and back, 50,000 sentences: BLEU, with and without attention.

Words that occur once are UNK in sources and in what is learned; references keep their real words.
BLEU is sacrebleu's on the tokens as given. Settings are chosen on dev, figures are of test.
"""

import sys
from pathlib import Path

import numpy as np

import _translator
from bench.acceptance import _frame
from fastrnn import metrics
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq

SIZES = {"train": 50_000, "dev": 500, "test": 500}
BEAMS = (
    (1, "none", 0.0), (2, "none", 0.0), (5, "none", 0.0), (10, "none", 0.0), (5, "avg", 0.0),
    (10, "avg", 0.0), (5, "none", 0.5), (10, "none", 0.5),
)  # fmt: skip


def made(kind: str, vocabularies: list[Vocabulary], seed: int, given: object) -> Seq2Seq:
    """A model; without attention with as many parameters."""

    def make(hidden: int, score: str | None = None) -> Seq2Seq:
        return Seq2Seq(
            "lstm", *vocabularies, hidden, embedding_size=given.hidden, attention=score,
            dropout=given.dropout, rng=np.random.default_rng(seed),
        )  # fmt: skip

    attentive = make(given.hidden, "additive")
    if kind != "none":
        return attentive
    return _translator.as_many(make, attentive.parameter_count)


def measure(bench: _frame.Frame) -> None:
    """Both directions that are asked for."""
    given = bench.given
    texts = {
        f"{part}.{language}": bench.read(f"enja/{part}.{language}", lines=lines).splitlines()
        for part, lines in SIZES.items()
        for language in ("en", "ja")
    }
    bench.configuration = {
        "hidden_size": given.hidden, "embedding_size": given.hidden, "epochs": given.epochs,
        "N": given.batch, "rate": given.rate, "dropout": given.dropout, "min_count": 2,
        "train": given.size,
    }  # fmt: skip
    for pair in given.parts:
        source, target = pair.split("-")
        one(bench, pair, texts, source, target)


def one(bench: _frame.Frame, pair: str, texts: dict, source: str, target: str) -> None:
    """One direction, all seeds."""
    given = bench.given
    learned = texts[f"train.{source}"][: given.size], texts[f"train.{target}"][: given.size]
    judged = texts[f"test.{source}"], texts[f"test.{target}"]
    seen = set(texts[f"train.{source}"])
    fresh = [i for i, text in enumerate(judged[0]) if text not in seen]
    tables = [Vocabulary.from_texts(side, level="word", min_count=2) for side in learned]
    for seed in bench.seeds:
        found = {}
        for kind in given.kinds.split(","):
            model = made(kind, tables, seed, given)
            name = f"{pair}, {kind}"
            with bench.run(name, seed, parameters=model.parameter_count) as note:
                history = _translator.fit(
                    model, *learned, epochs=given.epochs, seed=seed, N=given.batch,
                    rate=given.rate, seconds=given.seconds,
                )  # fmt: skip
                note["last loss"] = history[-1]
            dev = _translator.texts(model, texts[f"dev.{source}"])
            score, _ = metrics.bleu(dev, texts[f"dev.{target}"], tokenize="none")
            bench.record(f"{name}, dev BLEU greedy", seed, score)
            said = _translator.texts(model, judged[0], beam_size=5, length_penalty="avg")
            found[kind], _ = metrics.bleu(said, judged[1], tokenize="none")
            bench.record(f"{name}, BLEU", seed, found[kind])
            unseen, _ = metrics.bleu(
                [said[i] for i in fresh], [judged[1][i] for i in fresh], tokenize="none"
            )
            bench.record(f"{name}, BLEU on sentences not in train", seed, unseen)
            if seed == bench.seeds[0]:
                rows = zip(judged[0][:10], said[:10], judged[1][:10], strict=True)
                bench.samples[name] = [list(row) for row in rows]
                if given.keep is not None:
                    model.save(given.keep / f"{pair}-{kind}.safetensors")
            if kind != "none":
                beams(bench, name, seed, model, judged)
        if "none" in found and len(found) > 1:
            gain = found["additive"] - found["none"]
            bench.record(f"{pair}, BLEU attention minus none", seed, gain)
    if given.size is None and pair == "en-ja":
        bench.gate(f"{pair}, additive, BLEU", at_least=28.0)
    bench.gate(f"{pair}, BLEU attention minus none", at_least=3.0)


def beams(bench: _frame.Frame, name: str, seed: int, model: Seq2Seq, judged: tuple) -> None:
    """The table of widths: log-probability, BLEU, and how long translations are."""
    for width, penalty, word in BEAMS:
        found = model.translate(
            judged[0], beam_size=width, length_penalty=penalty, word_penalty=word, batch_size=256
        )
        said = [each.text for each in found]
        score, ratio = metrics.bleu(said, judged[1], tokenize="none")
        about = f"{name}, beam {width}, {penalty}, word penalty {word:g}"
        bench.record(f"{about}: log p", seed, float(np.mean([each.log_prob for each in found])))
        bench.record(f"{about}: BLEU", seed, score)
        bench.record(f"{about}: length ratio", seed, ratio)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = _frame.options("enja", __doc__)
    _frame.trained(parser, epochs=8, rate=2e-3)
    add = parser.add_argument
    add("--size", type=int, default=None, help="sentences to learn from; default: all")
    add("--hidden", type=int, default=256)
    add("--batch", type=int, default=64)
    add("--dropout", type=float, default=0.2)
    add("--kinds", default="additive,none")
    add("--keep", type=Path, default=None, help="folder for the models of the first seed")
    name = _frame.by_parts(parser, "enja", ["en-ja", "ja-en"], argv)
    return _frame.main(name, __doc__, measure, argv=argv, parser=parser, budget=1200)


if __name__ == "__main__":
    sys.exit(main())
