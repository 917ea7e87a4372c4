"""HRED: what was said many turns ago is remembered.

Slot dialogues have an exact answer: a model of the last turn alone names the right one of 16 in
6.25 % and needs 2.773 nats for it, one that has heard everything is always right. The bench
`camrest` has real dialogues.
"""

from typing import Any

import numpy as np

from bench.acceptance import _frame
from bench.acceptance._dialogue import last_turn, packed, trained
from fastrnn import ops
from fastrnn.data import Vocabulary
from fastrnn.models import HRED
from toys.dialogues import slot_bounds, slot_dialogues

SLOTS = {"talks": 20_000, "hidden": 96, "embedding": 32, "batch": 100, "epochs": 12, "lr": 5e-3}


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


def measure(frame: _frame.Frame) -> None:
    """All seeds, and the gates."""
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
    """Run the bench."""
    return _frame.main("hred", __doc__, measure, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
