"""Sentences through a code: with a schedule and word dropout the code is used, without it is not.

Verses of the World English Bible of up to 20 words; word perplexity by the bound, reconstruction
and divergence apart, beside a language model of the same size. The settings were chosen on dev; the
collapse is shown, not gated.
"""

from typing import Any

import numpy as np

import typos
from bench.acceptance import _frame
from bench.acceptance._published import text_module
from fastrnn.data import Vocabulary, batches, pad, plain_words
from fastrnn.models import LanguageModel, SequenceVAE
from fastrnn.train import Adam, Trainer
from fastrnn.train.schedule import cosine

SIZES = {"longest": 20, "test": 500, "hidden": 96, "embedding": 64, "z": 16, "words": 2000}
HOW = {"epochs": 9, "batch": 64, "lr": 5e-3}
KINDS: dict[str, dict[str, Any]] = {
    # As long as the divergence is free, codes come to be used; with (300, 900) 1.1 nats stay, with
    # a weight that rises from the first update on 0.0.
    "with cures": {"word_drop": 0.6, "kl_schedule": (750, 1250)},
    "without cures": {},
    "free bits": {"free_bits": 0.25, "word_drop": 0.25},
}
PLAIN = "language_model"


def fitted(model: Any, source: Any, seed: int) -> None:
    """Train with Adam, clipped."""
    rate = cosine(HOW["lr"], HOW["epochs"] * len(source), HOW["lr"] / 20)
    model.fit(
        source, Adam(lr=rate), max_norm=5.0, epochs=HOW["epochs"], progress=False,
        rng=np.random.default_rng(seed),
    )  # fmt: skip


class Alone:
    """A language model for sentences: nothing is carried from one batch to the next."""

    def __init__(self, model: LanguageModel) -> None:
        self._model, self.params = model, model.params

    def loss(self, params: Any, batch: Any, rng: Any) -> Any:
        return self._model.loss(params, batch, rng)

    def fit(self, data: Any, optimiser: Any, *, max_norm: float, rng: Any, **limits: Any) -> Any:
        limits.pop("progress")
        trainer = Trainer(self, optimiser, max_norm=max_norm, rng=rng, progress=False)
        return trainer.fit(data, **limits)


def as_language(batch: tuple[Any, Any]) -> tuple[Any, Any, Any]:
    """Return what a language model learns from a batch of sentences: BOS before, EOS behind."""
    x, lengths = batch
    N = len(lengths)
    seen = np.concatenate([np.full((1, N), Vocabulary.BOS), x])
    targets = np.concatenate([x, np.zeros((1, N), x.dtype)])
    targets[lengths, np.arange(N)] = Vocabulary.EOS
    return seen, targets, lengths + 1


def measure(frame: _frame.Frame) -> None:
    """All seeds and kinds."""
    verses = [plain_words(text) for text in text_module(frame, typos.PLACE, "sword-text-web")]
    short = sorted({text for text in verses if 0 < len(text.split()) <= SIZES["longest"]})
    mixed = [short[i] for i in np.random.default_rng(7).permutation(len(short))]
    test, train = mixed[: SIZES["test"]], mixed[2 * SIZES["test"] :]  # dev is between them
    words = Vocabulary.from_texts(train, level="word", max_size=SIZES["words"])
    coded = [words.encode(text) for text in train]
    judged = [pad([words.encode(text) for text in test])]
    frame.configuration |= {"sizes": SIZES, "how": HOW, "kinds": KINDS}
    for seed in frame.seeds:
        source = batches(
            [len(ids) for ids in coded], HOW["batch"], seed=seed,
            make=lambda rows: pad([coded[i] for i in rows]),
        )  # fmt: skip
        for name, options in KINDS.items():
            if name.replace(" ", "_") not in frame.given.parts:
                continue
            model = SequenceVAE(
                "lstm", words, SIZES["hidden"], SIZES["z"], embedding_size=SIZES["embedding"],
                bidirectional=True, rng=np.random.default_rng(seed), **options,
            )  # fmt: skip
            with frame.run(name, seed, parameters=model.parameter_count):
                fitted(model, source, seed)
            found = model.evaluate(judged)
            frame.record(f"KL, {name}", seed, found["kl"])
            frame.record(f"-reconstruction, {name}", seed, -found["reconstruction"])
            frame.record(f"perplexity by the bound, {name}", seed, found["perplexity"])
            if seed == frame.seeds[0]:
                frame.samples[name] = {
                    "sampled": model.sample(5, rng=np.random.default_rng(seed)),
                    "between": model.interpolate(test[0], test[1], 5),
                }
        if PLAIN in frame.given.parts:
            beside(frame, seed, words, coded, judged)
    frame.gate("KL, with cures", at_least=3.0)


def beside(
    frame: _frame.Frame, seed: int, words: Vocabulary, coded: list[Any], judged: list[Any]
) -> None:
    """The perplexity of a language model of the same size."""
    plain = LanguageModel(
        "lstm", words, SIZES["hidden"], embedding_size=SIZES["embedding"],
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    with frame.run("language model", seed, parameters=plain.parameter_count):
        one_way = batches(
            [len(ids) for ids in coded], HOW["batch"], seed=seed,
            make=lambda rows: as_language(pad([coded[i] for i in rows])),
        )  # fmt: skip
        fitted(Alone(plain), one_way, seed)
    found = plain.evaluate([as_language(batch) for batch in judged], carry=False)
    frame.record("perplexity, language model", seed, found["perplexity"])


def main(argv: list[str] | None = None) -> int:
    """Run the bench; of some parts alone it writes a file of its own."""
    parser = _frame.options("sequence_vae", __doc__)
    parts = [*(name.replace(" ", "_") for name in KINDS), PLAIN]
    task = _frame.by_parts(parser, "sequence_vae", parts, argv)
    return _frame.main(task, __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    raise SystemExit(main())
