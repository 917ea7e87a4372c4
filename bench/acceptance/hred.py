"""HRED: what was said many turns ago is remembered, and real dialogues are predicted.

Slot dialogues have an exact answer: a model of the last turn alone names the right one of 16 in
6.25 % and needs 2.773 nats for it, one that has heard everything is always right. CamRest676 shows
what the turns before are worth on system turns: word perplexity beside a model of the last turn,
which is the same class with its history cut.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from bench.acceptance import _dialogue, _frame
from bench.acceptance._dialogue import answers, in_parts, packed, trained
from fastrnn import ops
from fastrnn.data import Vocabulary
from fastrnn.data.dialogues import slot_bounds, slot_dialogues
from fastrnn.models import HRED

SLOTS = {"talks": 20_000, "hidden": 96, "embedding": 32, "batch": 100, "epochs": 6, "lr": 5e-3}
REAL = {"hidden": 128, "embedding": 64, "batch": 16, "epochs": 12, "lr": 3e-3, "dropout": 0.4}
PARTS = ("slots", "camrest")


def last_turn(talks: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return each answer with the turn before it alone."""
    return [list(talk[k - 1 : k + 1]) for talk in talks for k in range(1, len(talk), 2)]


def slot_model(words: Vocabulary, seed: int, **options: Any) -> HRED:
    """Return an untrained model for slot dialogues."""
    return HRED(
        "gru", words, SLOTS["hidden"], embedding_size=SLOTS["embedding"],
        rng=np.random.default_rng(seed), **options,
    )  # fmt: skip


def measure_slots(frame: _frame.Frame, seed: int) -> None:
    """Train both models on the same dialogues and probe them on fresh ones."""
    rng = np.random.default_rng(100 + seed)
    train = [one.turns for one in slot_dialogues(rng, SLOTS["talks"])]
    words = Vocabulary.from_texts((turn for talk in train for turn in talk), level="word")
    how = {"batch_size": SLOTS["batch"], "lr": SLOTS["lr"], "seed": seed}
    models = {}
    for name, talks, rows in (("HRED", train, 1), ("last turn", last_turn(train), 5)):
        with frame.run(f"slots, {name}", seed) as note:
            model = slot_model(words, seed)
            how["batch_size"] = SLOTS["batch"] * rows
            models[name] = trained(model, talks, words, epochs=SLOTS["epochs"], **how)
            note["parameters"] = model.parameter_count
    for lag in (1, 2, 3, 4, 5, 6, 10):
        fresh = slot_dialogues(rng, 1000, lag=lag, longest=max(8, lag + 2), overwrite=0.25)
        _probe(frame, seed, models["HRED"], fresh, f"right at lag {lag}")
        if lag == 6:
            both = slot_dialogues(rng, 1000, lag=(1, 6), overwrite=1.0)
            overwritten = [one for one in both if one.overwritten]
            _probe(frame, seed, models["HRED"], overwritten, "right after an overwrite")
    fresh = slot_dialogues(rng, 1000, lag=(1, 6))
    cut = [one._replace(turns=one.turns[-2:]) for one in fresh]
    _probe(frame, seed, models["last turn"], cut, "right, last turn alone")
    _reach(frame, seed, words)


def _probe(frame: _frame.Frame, seed: int, model: HRED, fresh: Any, name: str) -> None:
    replies = model.replies([one.turns[:-1] for one in fresh], max_length=12)
    right = np.mean([r == one.turns[-1] for r, one in zip(replies, fresh, strict=True)])
    frame.record(name, seed, float(right))


def _reach(frame: _frame.Frame, seed: int, words: Vocabulary) -> None:
    """How far the gradient of the probe's answer goes: to the name of the first turn, 6 ago."""
    (talk,) = slot_dialogues(np.random.default_rng(seed), 1, lag=6, overwrite=0.0)
    batch = packed([talk.turns], words, lambda turns: [False] * (len(turns) - 1) + [True])
    untrained = slot_model(words, seed)
    _, grads = ops.value_and_grad(untrained.loss)(untrained.params, batch)
    called = int(words.encode("call")[0])  # no turn of this dialogue has it
    first = int(words.encode(talk.turns[0])[0])
    table = grads["embedding"]["weight"]
    frame.record("gradient at the first turn", seed, float(np.linalg.norm(table[first])))
    frame.record("gradient at a word not said", seed, float(np.linalg.norm(table[called])))


def measure_real(frame: _frame.Frame, seed: int, talks: list[list[str]]) -> None:
    """Perplexity of system turns: all turns heard, with and without attention, and the last one."""
    order = np.random.default_rng(7).permutation(len(talks))
    cut = len(talks) * 3 // 5, len(talks) * 4 // 5
    train, dev, test = ([talks[i] for i in rows] for rows in np.split(order, cut))
    words = Vocabulary.from_texts(
        (turn for talk in train for turn in talk), level="word", min_count=2
    )
    frame.configuration["camrest"] = {
        **REAL,
        "words": len(words),
        "split": [*map(len, (train, dev, test))],
    }
    for name, change, attention in (
        ("HRED", lambda rows: rows, False),
        ("HRED with attention", lambda rows: rows, True),
        ("last turn", last_turn, False),
    ):
        model = HRED(
            "gru", words, REAL["hidden"], embedding_size=REAL["embedding"],
            dropout=REAL["dropout"], attention=attention, rng=np.random.default_rng(seed),
        )  # fmt: skip
        with frame.run(f"CamRest676, {name}", seed, parameters=model.parameter_count):
            # Exchanges a batch are the same for both: a dialogue has four.
            rows = REAL["batch"] * (4 if change is last_turn else 1)
            best = float("inf")
            for epoch in range(REAL["epochs"]):
                began = perf_counter()
                rate = REAL["lr"] * 0.85**epoch
                trained(
                    model, change(train), words, epochs=1, batch_size=rows, lr=rate,
                    seed=seed * 1000 + epoch,
                )  # fmt: skip
                found = model.evaluate(in_parts(change(dev), words, answers))["perplexity"]
                if found < best:
                    best = found
                    figure = model.evaluate(in_parts(change(test), words, answers))["perplexity"]
                if perf_counter() - began > frame.budget / 4:
                    break
        frame.record(f"perplexity, {name}", seed, figure)


def measure(frame: _frame.Frame) -> None:
    """All seeds of both tasks, and the gates."""
    if "camrest" in frame.given.parts:
        with frame.part("CamRest676"):
            talks = _dialogue.camrest(frame.read(_dialogue.CAMREST))
            for seed in frame.seeds:
                measure_real(frame, seed, talks)
    if "slots" not in frame.given.parts:
        return
    share, nats = slot_bounds()
    frame.configuration["slots"] = {**SLOTS, "bound": share, "bound nats": nats}
    for seed in frame.seeds:
        measure_slots(frame, seed)
    for lag in (1, 2, 3, 4):
        frame.gate(f"right at lag {lag}", at_least=0.99)
    frame.gate("right at lag 6", at_least=0.97)
    frame.gate("right after an overwrite", at_least=0.97)
    frame.gate("right, last turn alone", at_most=share + 0.02)
    frame.gate("gradient at a word not said", at_most=0.0)


def main(argv: list[str] | None = None) -> int:
    """Run the bench; of one part alone it writes a file of its own."""
    parser = _frame.options("hred", __doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    asked = parser.parse_args(argv).parts
    task = "-".join(["hred", *([] if asked == list(PARTS) else asked)])
    return _frame.main(task, __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    raise SystemExit(main())
