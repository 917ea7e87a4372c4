"""Why: a race that times the wrong thing, or lets programs do different work, proves nothing."""

import numpy as np
import pytest

from bench.acceptance import race_binary_addition, race_char_lm, race_g2p, race_vowels
from bench.acceptance._race import race
from bench.torch_tagger import TorchTagger
from fastrnn.models import SequenceTagger
from fastrnn.train import Adam
from fastrnn.train.schedule import linear


def test_who_takes_less_time_to_the_quality_is_found_and_how_far_the_losses_are_apart() -> None:
    found = race(
        "helpers.racers", ["Quick", "Slow"], threads=3, updates=20, every=5, figure=0.7,
        higher=True, bend=0.5,
    )  # fmt: skip
    quick, slow = (found["programs"][name] for name in ("Quick", "Slow"))
    assert quick["updates_to_quality"] == slow["updates_to_quality"] == 15
    assert quick["quality"] == [0.25, 0.5, 0.75, 1.0]
    assert slow["seconds_to_quality"] == pytest.approx(15 * 0.02)
    faster = found["times_faster"]["Slow"]
    assert faster["to_quality"] == pytest.approx(10)
    assert faster["an_update"] == pytest.approx(10)
    # Losses are threads + 1 / (1 + i), the slow one's 1.5 / (1 + i): furthest apart at first.
    assert found["parity"]["Slow"] == pytest.approx(0.5 / 4.5)


def test_a_quality_that_is_not_reached_has_no_time() -> None:
    found = race(
        "helpers.racers", ["Quick", "Slow"], threads=1, updates=4, every=2, figure=2, higher=True,
        bend=0.0,
    )  # fmt: skip
    assert found["programs"]["Quick"]["seconds_to_quality"] is None
    assert found["times_faster"]["Slow"]["to_quality"] is None


def vowels() -> tuple:
    rng = np.random.default_rng(0)
    series = [rng.standard_normal((n, 12)).astype(np.float32) for n in rng.integers(3, 9, 40)]
    labels = rng.integers(0, 9, 40)
    return series, labels, (series[:5], labels[:5])


def spoken() -> dict:
    rng = np.random.default_rng(2)
    words = {"".join(rng.choice(list("abcd"), n)) for n in rng.integers(2, 7, 400)}
    return {word: [" ".join(word.upper())] for word in sorted(words)}


LETTERS = np.random.default_rng(1).integers(0, 9, 30_000)
PROGRAMS = {
    "lstm letters": (race_char_lm, "PyTorch", {"cell": "lstm", "ids": LETTERS, "V": 9}),
    "gru letters": (race_char_lm, "PyTorch", {"cell": "gru", "ids": LETTERS, "V": 9}),
    "packed": (race_vowels, "Packed", {"cell": "lstm", "data": vowels(), "similar": False}),
    "padded": (race_vowels, "Padded", {"cell": "gru", "data": vowels(), "similar": True}),
    "spelling": (race_g2p, "PyTorch", {"words": spoken(), "hidden": 12}),
    "addition": (race_binary_addition, "OneThread", {}),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_programs_do_the_same_updates(name: str) -> None:
    pytest.importorskip("torch")
    module, other, options = PROGRAMS[name]
    ours, theirs = (
        getattr(module, make)(seed=3, updates=3, **options) for make in ("FastRNN", other)
    )
    for until in (1, 3):  # a turn goes on where the last one ended
        expected = ours.update(until)
        np.testing.assert_allclose(theirs.update(until), expected, rtol=1e-4)
        assert theirs.quality() == pytest.approx(ours.quality(), rel=1e-3)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("symbols", [True, False])
def test_a_tagger_learns_the_same_in_pytorch(both: bool, symbols: bool) -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    lengths = np.array([5, 2, 7])
    x = rng.integers(0, 6, (7, 3)) if symbols else rng.standard_normal((7, 3, 6), np.float32)
    batches = [(x, rng.integers(0, 4, (7, 3)), lengths) for _ in range(3)]
    size = {"vocab": 6} if symbols else {"input_size": 6}
    first, found = {}, []
    for kind in (SequenceTagger, TorchTagger):
        model = kind(
            "lstm", 4, 5, bidirectional=both, forget_bias=1.0, rng=np.random.default_rng(1), **size
        )
        first = {name: array.copy() for name, array in model.params["rnn"].items()}
        optimiser = Adam(linear(1e-2, 1e-3, 6))
        for _ in range(2):  # the second time it goes on
            model.fit(batches, optimiser, max_norm=0.5, epochs=1, progress=False)
        found.append(model)
    ours, theirs = found
    for part, arrays in ours.params.items():
        for name, array in arrays.items():
            np.testing.assert_allclose(theirs.params[part][name], array, atol=2e-5)
    assert np.abs(theirs.params["rnn"]["weight_hh_l0"] - first["weight_hh_l0"]).max() > 1e-2
    np.testing.assert_allclose(
        theirs.predict_proba(x, lengths), ours.predict_proba(x, lengths), atol=1e-4
    )
