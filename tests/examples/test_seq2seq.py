"""Why: a demo whose judge is lenient shows nothing: what it reads, cuts and counts."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("autograd", reason="autograd is not installed")

import _translator
import addition_seq2seq
import dates_attention
import g2p
import parse_tree
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq
from toys import formulas, pairs, trees


def copier(seed: int = 0, hidden: int = 48) -> Seq2Seq:
    letters = Vocabulary(list("abcdef"), level="character")
    return Seq2Seq(
        "gru", letters, letters, hidden, embedding_size=8, reverse_source=True, peek=True,
        bidirectional_encoder=False, rng=np.random.default_rng(seed),
    )  # fmt: skip


def test_the_recipe_learns_to_copy() -> None:
    learned, judged = (
        pairs.copying(np.random.default_rng(seed), N, shortest=1, longest=4, alphabet="abcdef")
        for seed, N in ((0, 3000), (1, 200))
    )
    model = copier()
    assert _translator.exact(model, *judged) < 0.1
    losses = _translator.fit(model, *learned, epochs=15, N=64, rate=1e-2)
    assert losses[-1] < 0.1 * losses[0]
    assert _translator.exact(model, *judged) > 0.95
    wrong = [text[::-1] for text in judged.targets]
    assert _translator.exact(model, judged.sources, wrong) < 0.5


def test_controls_have_as_many_parameters() -> None:
    sums = [addition_seq2seq.made(kind, 0) for kind in addition_seq2seq.KINDS]
    dates = [
        dates_attention.made(kind, ["1/2/03"], ["2003-01-02"], 0, 20)
        for kind in dates_attention.KINDS
    ]
    for models in (sums, dates):
        sizes = [model.parameter_count for model in models]
        assert max(sizes) < 1.05 * min(sizes)


def test_the_share_of_attention_is_that_of_the_field() -> None:
    class Pointer:
        """Answers every date, looking evenly at the first five characters of the source."""

        def translate(self, sources: list[str], **_: object) -> list:
            weights = np.zeros((10, 7))
            weights[:, :5] = 0.2
            found = type("Found", (), {"attention": weights})
            return [found for _ in sources]

    shares = dates_attention.own_field(Pointer(), ["6/30/73", "June 3, 1973"])
    assert shares == pytest.approx({"month": 0.2, "day": 0.4, "year": 0.0})


DICTIONARY = """\
'bout B AW1 T
read R EH1 D
read(2) R IY1 D # the other one
ok.com OW1
tomato T AH0 M EY1 T OW2
tomato(2) T AH0 M AA1 T OW2
tomato(3) T AH1 M EY2 T OW2
"""


def test_the_dictionary_is_read_without_stress_and_with_all_that_may_be_said() -> None:
    table = g2p.entries(DICTIONARY)
    assert table == {
        "'bout": ["B AW T"],
        "read": ["R EH D", "R IY D"],
        "tomato": ["T AH M EY T OW", "T AH M AA T OW"],
    }
    words, spoken = g2p.every(["read", "'bout"], table)
    assert words == ["read", "read", "'bout"]
    assert spoken[1] == "R IY D"
    many = [f"word{i}" for i in range(4000)]
    heaps = g2p.split(many)
    assert sorted(word for heap in heaps for word in heap) == sorted(many)
    assert heaps[2] == g2p.split(many[::-1])[2][::-1]  # by word, whatever stands around it
    assert [abs(len(heap) - n) < 60 for heap, n in zip(heaps, (3600, 200, 200), strict=True)]


def test_error_rates_take_any_of_the_references() -> None:
    table = {"a": ["B D", "K"], "b": ["K"]}
    wer, per = g2p.error_rates(Says(["K", "K D"]), ["a", "b"], table)
    assert (wer, per) == (0.5, 0.5)


class Said:
    def __init__(self, text: str) -> None:
        self.text = text


class Says:
    """A model with fixed answers."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers

    def translate(self, sources: list[str], **_: object) -> list[Said]:
        assert len(sources) == len(self.answers)
        return [Said(text) for text in self.answers]


def test_languages_judge_trees_as_trees() -> None:
    for language in (parse_tree.english(60), parse_tree.arithmetic(60)):
        assert len(set(language.sources)) == len(language.sources) == 60
        assert all(language.is_tree(text) for text in language.targets)
        assert not language.is_tree(language.targets[0].rpartition(" ")[0])
        assert language.spans("nothing") == []
    deep = parse_tree.arithmetic(30, depth=3)
    assert all(sum(w in formulas.OPERATORS for w in t.split()) >= 3 for t in deep.targets)
    english = parse_tree.english(40)
    assert 0 < parse_tree.branching(english.sources, english.targets) < 1
    model = Says([*english.targets[:-2], "(S", "(S a )NP"])
    found = parse_tree.judge(model, english, english.sources, english.targets)["free"]
    assert found["exact"] == found["well-formed"] == 38 / 40
    assert found["in pairs"] == 39 / 40
    assert 0.9 < found["F1"] < 1
    assert trees.is_tree(english.targets[0].split())


def test_an_untrained_model_under_the_constraint_writes_whole_trees() -> None:
    language = parse_tree.english(40)
    model = parse_tree.made(language, "none", 0, hidden=8)
    said = _translator.texts(
        model, language.sources[:10], constraint=language.constraint(),
        max_length=language.longest + 12,
    )  # fmt: skip
    assert all(language.is_tree(text) for text in said)


def test_a_tree_is_shown_with_its_words_below_each_other() -> None:
    tree = "(S (NP DT NN )NP (VP VB )VP )S"
    assert parse_tree.sketch(tree, "the dog barked").splitlines() == [
        "", "    S", "      NP", "        DT the", "        NN dog", "      VP",
        "        VB barked",
    ]  # fmt: skip


def test_words_are_pronounced_beside_the_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = {"'bout": ["B AW T"], "tow": ["T OW", "T AW"]}
    model = g2p.made("additive", table, 0, hidden=8)
    said = model.translate("tow", beam_size=5, length_penalty="avg").text
    g2p.pronounce(model, "tow", table, tmp_path)
    assert f"tow  {said}   wrong: T OW, or T AW\n" in capsys.readouterr().out
    g2p.pronounce(model, "tow", {"tow": [said]}, tmp_path)
    assert f"tow  {said}   right\n" in capsys.readouterr().out
    g2p.pronounce(model, "'bout", table, tmp_path)
    assert "'" not in capsys.readouterr().out.partition("picture: ")[2]


def test_dates_are_learned_and_the_map_finds_their_fields() -> None:
    texts, answers = pairs.dates(np.random.default_rng(0), 3000, formats=["short"])
    model = dates_attention.made("attention", texts, answers, 0, hidden=48)
    _translator.fit(model, texts[:2800], answers[:2800], epochs=6, N=64)
    assert _translator.exact(model, texts[2800:], answers[2800:]) > 0.9
    shares = dates_attention.own_field(model, texts[2800:])
    assert min(shares.values()) > 0.4  # spread evenly, each were 0.3 at most


def test_formulas_become_trees() -> None:
    language = parse_tree.arithmetic(2500, depth=(1, 2))
    model = parse_tree.made(language, "additive", 0, hidden=48)
    _translator.fit(model, language.sources[:2300], language.targets[:2300], epochs=6, N=64)
    found = parse_tree.judge(model, language, language.sources[2300:], language.targets[2300:])
    assert found["free"]["exact"] > 0.8
    assert found["constrained"]["exact"] >= found["free"]["exact"]
    assert found["constrained"]["well-formed"] == 1
