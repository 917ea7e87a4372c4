"""Real dialogues: what the turns before the last one are worth on system turns of CamRest676.

Word perplexity of a model that hears all turns, with and without attention to them, beside the same
class with its history cut to the last turn; apart for words that carry a slot's value, which is
what a user said turns ago. VHRED by its bound; and how different the replies to one history after
another are: greedy ones, and for VHRED greedy ones over codes. Each model stops learning where
it is best on dev, but VHRED, whose bound is poor while codes are free, at the end.
"""

import json
from typing import Any

import numpy as np

from bench.acceptance import _dialogue, _frame
from bench.acceptance._dialogue import answers, in_parts, last_turn, shuffled
from fastrnn import metrics
from fastrnn.data import Vocabulary, plain_words
from fastrnn.models import HRED, VHRED
from fastrnn.train import AdamW
from fastrnn.train.schedule import cosine

SIZES = {"hidden": 128, "embedding": 64, "min_count": 2}
HOW = {"batch": 16, "epochs": 32, "patience": 4, "lr": 5e-3}
DROPS = {"dropout": 0.4, "word_drop": 0.2}
CODES: dict[str, Any] = {"z_dim": 16, "kl_schedule": (200, 400)}  # rising from 0 on: KL 0.002
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "HRED": (HRED, {}),
    "HRED with attention": (HRED, {"attention": True}),
    "last turn": (HRED, {}),
    "VHRED": (VHRED, CODES),
}
EXCHANGES = 4  # of a dialogue, in the mean: batches of both kinds have as many replies
SHOWN = 5


def informed(text: str) -> set[str]:
    """Return the words of the values that users give to slots."""
    values = [
        value
        for talk in json.loads(text[text.index("[") :])
        for exchange in talk["dial"]
        for act in exchange["usr"]["slu"]
        if act["act"] == "inform"
        for _, value in act["slots"]
    ]
    return {word for value in values for word in plain_words(value).split()} - {"dontcare"}


def nats_of_words(model: HRED, batches: Any, carries: np.ndarray) -> dict[str, float]:
    """Return the perplexity of all words, and of those whose symbol carries a slot's value."""
    nats, seen = [], []
    for batch in batches:
        d = model._enter(batch)
        encoded = model._encode_dialogues(model.params, d)
        nats.append(model._target_nats(model.params, d, encoded.contexts, encoded.memory).nats)
        P = len(d.target_lengths)
        targets = np.vstack([d.targets, np.full((1, P), Vocabulary.PAD)])
        targets[d.target_lengths, np.arange(P)] = Vocabulary.EOS
        seen.append(targets[targets != Vocabulary.PAD])
    all_nats, slots = np.concatenate(nats), carries[np.concatenate(seen)]
    return {
        "perplexity": float(np.exp(all_nats.mean(dtype=np.float64))),
        "perplexity of slots' words": float(np.exp(all_nats[slots].mean(dtype=np.float64))),
    }


def fitted(model: Any, train: Any, dev: Any, words: Vocabulary, rows: int, seed: int) -> int:
    """Train until dev is no better for some epochs, and return the best epoch."""
    data = shuffled(train, words, rows, seed, answers)
    rate = cosine(HOW["lr"], HOW["epochs"] * len(data), HOW["lr"] / 50)
    history = model.fit(
        data, AdamW(lr=rate), max_norm=1.0, epochs=HOW["epochs"],
        validation=list(in_parts(dev, words, answers)),
        patience=HOW["patience"] if isinstance(model, HRED) else None,
        progress=False, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return int(np.argmin(history.column("validation_loss")[1])) + 1


def measure(frame: _frame.Frame) -> None:
    """All seeds and models."""
    text = frame.read(_dialogue.CAMREST)
    talks = _dialogue.camrest(text)
    order = np.random.default_rng(7).permutation(len(talks))
    cut = len(talks) * 3 // 5, len(talks) * 4 // 5
    train, dev, test = ([talks[i] for i in rows] for rows in np.split(order, cut))
    words = Vocabulary.from_texts(
        (t for talk in train for t in talk), level="word", min_count=SIZES["min_count"]
    )
    carries = np.zeros(len(words), bool)
    carries[[int(words.encode(word)[0]) for word in informed(text)]] = True
    carries[Vocabulary.UNK] = False
    frame.configuration |= {
        "sizes": SIZES, "how": HOW, "drops": DROPS, "codes": CODES, "words": len(words),
        "slots' words": int(carries.sum()), "split": [*map(len, (train, dev, test))],
    }  # fmt: skip
    compared: dict[str, dict[str, float]] = {}
    for seed in frame.seeds:
        for name, (cls, options) in KINDS.items():
            if name.replace(" ", "_") not in frame.given.parts:
                continue
            change = last_turn if name == "last turn" else list
            model = cls(
                "gru", words, SIZES["hidden"], embedding_size=SIZES["embedding"],
                decoder_input="init", rng=np.random.default_rng(seed), **DROPS, **options,
            )  # fmt: skip
            rows = HOW["batch"] * (EXCHANGES if name == "last turn" else 1)
            with frame.run(name, seed, parameters=model.parameter_count) as note:
                note["best epoch"] = fitted(model, change(train), change(dev), words, rows, seed)
            judged = list(in_parts(change(test), words, answers))
            if cls is VHRED:
                found = model.evaluate(judged)
                found = {"perplexity by the bound": found["perplexity"], "KL": found["kl"]}
            else:
                found = nats_of_words(model, judged, carries)
            compared[name] = found
            for figure, value in found.items():
                frame.record(f"{name}: {figure}", seed, value)
            if change is list:
                said(frame, seed, name, model, test)
        if {"HRED", "last turn"} <= compared.keys():
            ratio = compared["HRED"]["perplexity"] / compared["last turn"]["perplexity"]
            frame.record("HRED: perplexity / last turn's", seed, ratio)
    frame.gate("HRED: perplexity / last turn's", at_most=0.92, calibrated=False)


def said(frame: _frame.Frame, seed: int, name: str, model: Any, test: list[list[str]]) -> None:
    """Note how different the replies to all histories are, and how long."""
    histories = [talk[:k] for talk in test for k in range(1, len(talk), 2)]
    replies = model.replies(histories, max_length=40, rng=np.random.default_rng(seed))
    pieces = [reply.split() for reply in replies]
    for n in (1, 2):
        frame.record(f"{name}: distinct-{n}", seed, metrics.distinct(pieces, n))
    frame.record(f"{name}: mean length", seed, float(np.mean([len(p) for p in pieces])))
    if seed == frame.seeds[0]:
        told = [talk[k] for talk in test for k in range(1, len(talk), 2)]
        for k in range(2, 2 + 7 * SHOWN, 7):
            about = frame.samples.setdefault(" / ".join(histories[k]), {"true": told[k]})
            about[name] = replies[k]


def main(argv: list[str] | None = None) -> int:
    """Run the bench; of some models alone it writes a file of its own."""
    parser = _frame.options("camrest", __doc__)
    parts = [name.replace(" ", "_") for name in KINDS]
    task = _frame.by_parts(parser, "camrest", parts, argv)
    return _frame.main(task, __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    raise SystemExit(main())
