"""Why: a latent code must decide what kind of reply is given wherever the reply tells it, for few
kinds and for many, by one recipe. A mode is a kind of reply. A case takes about 15 seconds.
"""

import numpy as np
import pytest

import vhred_modes
from fastrnn.data import Vocabulary
from fastrnn.models import VHRED
from toys.dialogues import ModeDialogues

RECIPE = {"word_drop": 0.3, "kl_schedule": (300, 500), "free_bits": 0.5}  # docs/howto/dialogue.md


@pytest.mark.parametrize("told_by", ["first", "middle", "last"])
@pytest.mark.parametrize("modes", [4, 8, 12])
def test_greedy_replies_to_drawn_codes_cover_the_modes(told_by: str, modes: int) -> None:
    source = ModeDialogues(
        np.random.default_rng(50), modes=modes, choices=1, shortest=8, longest=8, told_by=told_by
    )
    rows, own = source.draw(np.random.default_rng(0), 8000), np.random.default_rng(0)
    words = Vocabulary.from_texts([turn for one in rows for turn in one[:2]], level="word")
    model = VHRED("gru", words, 96, 4, rng=own, **RECIPE)
    vhred_modes.train(model, rows, words, epochs=12, seed=0)
    said = [vhred_modes.measured(model, source, c, rng=own)[:2] for c in range(len(source.p))]
    kinds, distance = np.mean(said, axis=0)
    assert kinds >= modes - 1  # the rarest of 12 is missing in a third of true samples of 200
    assert distance < 0.2  # of samples of the truth: 0.05 to 0.08
