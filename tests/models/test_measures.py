"""Why: people stop a training by how often translations are right, not by a cross-entropy. These
figures must be those of `fastrnn.metrics` on what `translate` says, in `score`, `evaluate`, `fit`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("autograd")

from fastrnn import metrics, train
from fastrnn.data import Vocabulary
from fastrnn.models import LanguageModel, Seq2Seq

LETTERS = Vocabulary.from_texts(["abcd"], level="character")
WORDS = Vocabulary.from_texts(["one two three"])
SOURCES = ["ab", "b", "dca", "abca", ""]
RIGHT = ["one two", "two", "three x", "one one two", ""]


def translator(rng: Any, **options: Any) -> Seq2Seq:
    return Seq2Seq("gru", LETTERS, WORDS, 6, attention="dot", rng=rng, **options)


@pytest.mark.parametrize("reverse", [False, True])
def test_figures_are_those_of_translations(reverse: bool, rng: Any) -> None:
    model = translator(rng, reverse_source=reverse)
    said = [found.text for found in model.translate(SOURCES, beam_size=2)]
    words = [[text.split() for text in side] for side in (said, RIGHT)]
    wanted = {
        "exact_match": metrics.exact_match(said, RIGHT),
        "wer": metrics.error_rate(*words),
        "cer": metrics.error_rate(said, RIGHT),
    }
    found = model.score(SOURCES, RIGHT, list(wanted), beam_size=2)
    assert found == wanted
    assert found["wer"] > 0
    batches = model.pairs(SOURCES, said, 2)
    greedy = [found.text for found in model.translate(SOURCES)]
    figures = model.evaluate(model.pairs(SOURCES, greedy, 2), measures=("exact_match", "cer"))
    assert figures["exact_match"] == 1
    assert figures["cer"] == 0
    assert list(model.evaluate(batches)) == ["loss", "perplexity"]
    # What the vocabulary does not know can never be said, nor can it be right.
    unknown = model.evaluate(model.pairs(SOURCES, RIGHT, 5), measures=["wer"])["wer"]
    assert unknown == model.score(SOURCES, [t.replace("x", "�") for t in RIGHT], ["wer"])["wer"]


def test_bleu_is_of_words_as_they_stand(rng: Any) -> None:
    pytest.importorskip("sacrebleu")
    model = translator(rng)
    said = [found.text for found in model.translate(SOURCES)]
    wanted = metrics.bleu(said, RIGHT, tokenize="none")[0]
    assert model.score(SOURCES, RIGHT, ["bleu"]) == {"bleu": wanted}


def test_symbols_are_compared_where_there_are_no_texts(rng: Any) -> None:
    model = Seq2Seq("lstm", 7, 8, 4, rng=rng)
    sources = [np.array([4, 5]), np.array([6])]
    said = [found.tokens for found in model.translate(sources)]
    found = model.score(sources, said, ["exact_match", "wer", "cer"])
    assert found == {"exact_match": 1, "wer": 0, "cer": 0}
    other = [np.append(said[0], 4), said[1]]
    wanted = 1 / (len(said[0]) + 1 + len(said[1]))
    assert model.score(sources, other, ["wer"])["wer"] == pytest.approx(wanted)


@pytest.mark.parametrize("best", [None, "max"])
def test_fit_keeps_the_weights_that_translate_best(best: Any, rng: Any) -> None:
    """More exact matches are better, though nobody says so."""
    model = translator(rng)
    pairs = model.pairs(SOURCES[:4], ["one", "two", "three", "one two"], 4)
    history = model.fit(
        pairs, train.Adam(lr=0.03), epochs=40, validation=pairs, monitor="exact_match", best=best,
        patience=40, progress=False, rng=rng,
    )  # fmt: skip
    shares = history["validation_exact_match"]
    assert max(shares) > min(shares)
    assert model.evaluate(pairs, measures=("exact_match",))["exact_match"] == max(shares)


def test_a_wrong_monitor_costs_no_training(rng: Any) -> None:
    model = translator(rng)
    before = model.params["out"]["weight"].copy()
    pairs = model.pairs(SOURCES, RIGHT, 5)
    known = r"\['bleu', 'cer', 'exact_match', 'loss', 'perplexity', 'wer'\], got 'blue'"
    with pytest.raises(ValueError, match=f"monitor must name a figure of {known}"):
        model.fit(pairs, epochs=1, validation=pairs, monitor="blue", progress=False)
    np.testing.assert_array_equal(model.params["out"]["weight"], before)
    lm = LanguageModel("gru", 5, 4, rng=rng)
    batch = (np.array([[1], [2]]), np.array([[2], [3]]))
    with pytest.raises(ValueError, match=r"of \['bits', 'loss', 'perplexity'\], got 'wer'"):
        lm.fit([batch], epochs=1, validation=[batch], monitor="wer", progress=False)


def test_what_is_refused(rng: Any) -> None:
    model = translator(rng)
    for error, words, call in (
        (ValueError, "measures must be of .*got 'blue'", {"measures": ["blue"]}),
        (TypeError, "measures must be a sequence", {"measures": "bleu"}),
        (ValueError, "n_best must be 1", {"n_best": 2, "beam_size": 2}),
    ):
        with pytest.raises(error, match=words):
            model.score(SOURCES, RIGHT, **call)
    with pytest.raises(ValueError, match="as many targets as sources, got 4 and 5"):
        model.score(SOURCES, RIGHT[:4])
    with pytest.raises(ValueError, match="at least one translation"):
        model.score([], [])


def test_the_command_line_monitors_them(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("typer")
    pytest.importorskip("safetensors")
    from fastrnn.cli import main

    (tmp_path / "a.txt").write_text("ab\nba\nabb\n" * 6)
    (tmp_path / "b.txt").write_text("ba\nab\nbba\n" * 6)
    (tmp_path / "c.toml").write_text(
        '[model]\nkind = "Seq2Seq"\ncell = "gru"\nhidden_size = 4\n'
        '[data]\nsources = "a.txt"\ntargets = "b.txt"\n'
        '[training]\nfolder = "run"\nepochs = 2\npatience = 5\nmonitor = "wer"\n'
    )
    assert main(["train", str(tmp_path / "c.toml")]) == 0
    assert "  wer " in capsys.readouterr().out
