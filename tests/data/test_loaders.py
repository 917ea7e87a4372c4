"""Why: a sequence that is skipped, or seen twice after a resume, is never noticed in the loss."""

from collections import Counter

import numpy as np
import pytest

from fastrnn.data import Loader, batches, contiguous_streams, windows
from fastrnn.data.shuffle import permuted
from fastrnn.models import Seq2Seq

LENGTHS = np.random.default_rng(0).integers(1, 200, 1003)
TEXT = np.arange(10_007)


def loaders(seed: int = 5) -> dict[str, Loader]:
    return {
        "bucketed": batches(LENGTHS, 32, seed=seed),
        "shuffled": batches(LENGTHS, 32, seed=seed, bucket=False),
        "streams": contiguous_streams(TEXT, 7, 30),
        "windows": windows(TEXT, 16, 10, seed=seed),
    }


def flat(batch: object) -> list[int]:
    return np.concatenate([np.ravel(part) for part in np.atleast_1d(batch)]).tolist()


@pytest.mark.parametrize("name", loaders())
def test_an_epoch_gives_everything_once(name: str) -> None:
    loader = loaders()[name]
    for _ in range(2):
        seen = [batch if name in ("bucketed", "shuffled") else batch[0] for batch in loader]
        assert len(seen) == len(loader)
        every = np.sort(np.concatenate([np.ravel(batch) for batch in seen]))
        wanted = {"streams": 10_006 // 7 * 7, "windows": 10_000}.get(name, len(LENGTHS))
        assert len(every) == wanted
        assert len(np.unique(every)) == wanted


@pytest.mark.parametrize("name", loaders())
def test_a_saved_position_goes_on_exactly(name: str) -> None:
    whole = loaders()[name]
    wanted = [flat(batch) for _ in range(3) for batch in whole]
    for cut in (0, 1, len(whole) - 1, len(whole), len(whole) + 2):
        first, second = loaders()[name], loaders()[name]
        got = []
        while len(got) < cut:
            for batch in first:
                got.append(flat(batch))
                if len(got) == cut:
                    break
        second.load_state_dict(first.state_dict())
        while second.epoch < 3:
            got += [flat(batch) for batch in second]
        assert got == wanted


def test_epochs_and_seeds_differ() -> None:
    source = loaders()["windows"]
    first, second = (np.concatenate([x.ravel() for x, _ in source]) for _ in range(2))
    other = np.concatenate([x.ravel() for x, _ in loaders(6)["windows"]])
    assert (first != second).mean() > 0.9
    assert (first != other).mean() > 0.9


def test_buckets_hold_sequences_of_similar_length() -> None:
    def padding(loader: Loader) -> float:
        """The share of steps that are padding."""
        real = padded = 0
        for rows in loader:
            real += LENGTHS[rows].sum()
            padded += LENGTHS[rows].max() * len(rows)
        return 1 - real / padded

    assert padding(loaders()["bucketed"]) < 0.05
    assert padding(loaders()["shuffled"]) > 0.3


def test_make_is_called_with_the_rows() -> None:
    source = batches(LENGTHS, 100, make=lambda rows: LENGTHS[rows].sum())
    assert sum(source) == LENGTHS.sum()


def test_streams_go_on_where_they_were() -> None:
    columns = [[], []]
    for x, targets in contiguous_streams(TEXT, 7, 30):
        assert x.flags.c_contiguous
        columns[0].append(x)
        columns[1].append(targets)
    x, targets = (np.concatenate(c) for c in columns)
    assert (np.diff(x, axis=0) == 1).all()
    np.testing.assert_array_equal(targets, x + 1)
    np.testing.assert_array_equal(x[0], np.arange(7) * (10_006 // 7))


@pytest.mark.parametrize("n", [5, 8, 9, 13, 17, 1000, 4 * 256, 4 * 256 + 1, 4 * 257 + 1])
def test_every_window_comes_once_an_epoch(n: int) -> None:
    for seed in range(4):
        source = windows(np.arange(n), 5, 4, seed=seed)
        for _ in range(2):
            starts = np.concatenate([x[0] for x, _ in source])
            np.testing.assert_array_equal(np.sort(starts), 4 * np.arange((n - 1) // 4))


def test_every_order_of_a_few_windows_is_as_likely() -> None:
    """2,400 of them in the 24 orders of four: chi-squared with 23 degrees of freedom."""
    orders = Counter(tuple(permuted(4, np.arange(4), seed, 0).tolist()) for seed in range(2400))
    assert len(orders) == 24
    assert sum((count - 100) ** 2 / 100 for count in orders.values()) < 45  # 99.6 %


def test_batches_of_a_sorted_corpus_are_as_mixed_as_by_a_true_shuffle() -> None:
    """Means of 32 numbers of 0..1 spread by 1/√(12·32), and neighbours are as far as any two."""
    n = 32 * 4000
    order = permuted(n, np.arange(n), 1, 2) / n
    assert abs(order.reshape(-1, 32).mean(axis=1).std() * np.sqrt(12 * 32) - 1) < 0.04
    assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.01
    assert abs(np.corrcoef(order, np.arange(n))[0, 1]) < 0.01


def test_a_position_of_another_loader_is_refused() -> None:
    state = loaders()["windows"].state_dict()
    for name in ("seed", "batches"):
        with pytest.raises(ValueError, match=f"another loader: {name}"):
            loaders()["windows"].load_state_dict({**state, name: 1})
    with pytest.raises(ValueError, match="keys"):
        loaders()["windows"].load_state_dict({"epoch": 0})
    with pytest.raises(ValueError, match="batch must be in"):
        loaders()["windows"].load_state_dict({**state, "batch": 10**6})
    with pytest.raises(TypeError, match="epoch"):
        loaders()["windows"].load_state_dict({**state, "epoch": 0.5})


def test_too_little_data_is_refused() -> None:
    with pytest.raises(ValueError, match="at least N"):
        contiguous_streams(TEXT[:7], 7, 3)
    with pytest.raises(ValueError, match="at least T"):
        windows(TEXT[:3], 7, 3)
    with pytest.raises(ValueError, match="lengths must be"):
        batches([[1]], 2)
    with pytest.raises(ValueError, match="lengths must be at least 0, got -1"):
        batches([3, -1], 2)
    assert list(batches([], 2)) == []


def test_tokens_are_integers() -> None:
    for cut in (contiguous_streams, windows):
        with pytest.raises(TypeError, match="tokens must hold integers, got float64"):
            cut(np.full(50, 0.5), 2, 3)
        with pytest.raises(TypeError, match="got text: encode it"):
            cut("one text", 2, 3)
        with pytest.raises(ValueError, match=r"tokens must have shape \(n,\), got 2 axes"):
            cut(np.zeros((50, 2), int), 2, 3)
        assert next(iter(cut(list(range(50)), 2, 3)))[0].shape == (3, 2)


def test_batches_are_of_pairs_alike_in_both_lengths() -> None:
    rng = np.random.default_rng(0)
    model = Seq2Seq("gru", 9, 9, 2, rng=rng)
    lengths = rng.integers(1, 31, (2, 2_000))  # a long source says nothing of its target
    sides = [[np.full(n, 5) for n in one] for one in lengths]

    def padding(**options: bool) -> np.ndarray:
        found = np.zeros((2, 2))
        for x, targets, steps, target_steps in model.pairs(*sides, 20, **options):
            found += [[x.size, steps.sum()], [targets.size, target_steps.sum()]]
        assert found[:, 1].tolist() == [lengths[0].sum(), lengths[1].sum() + 2_000]  # each once
        return found[:, 0] / found[:, 1] - 1

    assert (padding() < [0.3, 0.15]).all()  # sorted by the sum of both: 0.57 and 0.55
    assert (padding(bucket=False) > 0.7).all()  # the longest of 20 is twice the mean


def test_one_text_is_no_sequence_of_texts() -> None:
    model = Seq2Seq("gru", 9, 9, 2, rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match="sources must be a sequence of texts, got one text, 'abc'"):
        model.pairs("abc", ["a", "b", "c"], 2)
    with pytest.raises(TypeError, match="targets must be a sequence of texts"):
        model.pairs(["a", "b", "c"], "abc", 2)
