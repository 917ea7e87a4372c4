"""Why: a wrong id or a shifted row teaches a model nonsense without any error."""

import numpy as np
import pytest

from fastrnn.data import kmers, one_hot, pad


def test_one_hot_rows_have_their_one_at_the_id() -> None:
    ids = np.random.default_rng(0).integers(0, 7, (4, 3))
    rows = one_hot(ids, 7)
    assert rows.shape == (4, 3, 7)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows.argmax(-1), ids)
    np.testing.assert_array_equal(rows.sum(-1), 1)
    assert one_hot([], 3, np.float64).shape == (0, 3)


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        ([3], ValueError, "ids must lie in 0..2, got 3"),
        ([-1], ValueError, "got -1"),
        ([0.0], TypeError, "integers"),
    ],
)
def test_one_hot_refuses_ids_that_are_none(ids: list[int], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        one_hot(ids, 3)


def test_kmers_are_numbers_in_the_alphabet() -> None:
    rng = np.random.default_rng(1)
    text = "".join(rng.choice(list("ACGT"), 50))
    expected = [1 + sum("ACGT".index(c) * 4 ** (2 - j) for j, c in enumerate(text[i : i + 3]))
                for i in range(48)]  # fmt: skip
    np.testing.assert_array_equal(kmers(text, 3), expected)


def test_kmers_with_an_ambiguous_letter_are_0() -> None:
    np.testing.assert_array_equal(kmers("ACNGT", 2) == 0, [False, True, True, False])
    assert kmers("AC", 3).shape == (0,)
    assert kmers("a", 1).tolist() == [0]


@pytest.mark.parametrize(("k", "alphabet"), [(0, "ACGT"), (13, "ACGT"), (2, "AA"), (2, "")])
def test_kmers_refuse_what_has_no_ids(k: int, alphabet: str) -> None:
    with pytest.raises(ValueError, match=r"alphabet|k must"):
        kmers("ACGT", k, alphabet)


def test_pad_keeps_every_step_and_fills_the_rest() -> None:
    rng = np.random.default_rng(2)
    parts = [rng.standard_normal((n, 2)).astype(np.float32) for n in (3, 0, 5)]
    x, lengths = pad(parts, np.nan)
    assert x.shape == (5, 3, 2)
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    np.testing.assert_array_equal(lengths, [3, 0, 5])
    for n, part in enumerate(parts):
        np.testing.assert_array_equal(x[: len(part), n], part)
        assert np.isnan(x[len(part) :, n]).all()
    np.testing.assert_array_equal(pad(parts, batch_first=True)[0], pad(parts)[0].swapaxes(0, 1))


def test_pad_refuses_what_does_not_fit_together() -> None:
    with pytest.raises(ValueError, match="at least one"):
        pad([])
    with pytest.raises(ValueError, match="number 1"):
        pad([np.zeros((3, 2)), np.zeros((3, 1))])
    with pytest.raises(ValueError, match="must hold sequences, got 1 as number 0"):
        pad([1, 2])
