"""Why: a generator that leaks its answer or states a wrong bound makes results worthless."""

import numpy as np
import pytest

from toys import tasks


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_adding_marks_one_number_in_either_half_and_the_mean_has_its_error() -> None:
    x, targets, lengths = tasks.adding(rng(), 4000, 20)
    assert x.shape == (20, 4000, 2)
    np.testing.assert_array_equal(x[:10, :, 1].sum(0), 1)
    np.testing.assert_array_equal(x[10:, :, 1].sum(0), 1)
    np.testing.assert_allclose(targets, (x[..., 0] * x[..., 1]).sum(0))
    assert np.mean((targets - 1) ** 2) == pytest.approx(1 / 6, rel=0.1)
    assert (lengths == 20).all()


def test_copy_memory_asks_for_what_it_showed() -> None:
    x, targets, _ = tasks.copy_memory(rng(), 5, lag=7, length=3, size=4)
    assert x.shape == targets.shape == (13, 5)
    np.testing.assert_array_equal(targets[-3:], x[:3])
    assert not targets[:-3].any()
    assert (x[9] == 5).all()
    assert not x[3:9].any()
    assert not x[10:].any()
    assert tasks.copy_baseline(7, 3, 4) == pytest.approx(3 * np.log(4) / 13)


@pytest.mark.parametrize("relevant", [2, 3])
def test_temporal_order_is_the_order_of_x_and_y(relevant: int) -> None:
    x, targets, lengths = tasks.temporal_order(rng(), 300, 100, relevant)
    for n, length in enumerate(lengths):
        row = x[:length, n]
        assert row[0] == 0
        assert row[-1] == 1
        (places,) = np.nonzero(row >= 6)
        assert len(places) == relevant
        assert 10 <= places[0] <= 20
        assert targets[n] == int("".join(str(i - 6) for i in row[places]), 2)
    assert np.bincount(targets, minlength=2**relevant).min() > 300 / 2**relevant / 2
    assert 100 <= lengths.min() < lengths.max() <= 110


def test_embedded_reber_strings_repeat_the_second_symbol_and_name_their_successors() -> None:
    source = rng()
    for _ in range(200):
        text, following = tasks.embedded_reber_string(source)
        assert len(text) == len(following)
        assert text[1] == text[-2]
        assert (text[0], text[2], text[-3], text[-1]) == ("B", "B", "E", "E")
        assert all(b in after for b, after in zip(text[1:], following, strict=False))
        assert following[-1] == "B"
        assert len(following[-3]) == 1  # the long dependence is certain


def test_reber_batches_are_these_strings() -> None:
    x, targets, lengths = tasks.embedded_reber(rng(), 6)
    source = rng()
    for n in range(6):
        text, following = tasks.embedded_reber_string(source)
        assert "".join(tasks.REBER[i] for i in x[: lengths[n], n]) == text
        for row, after in zip(targets[: lengths[n], n], following, strict=True):
            assert {tasks.REBER[i] for i in np.flatnonzero(row)} == set(after)
    x, targets, lengths = tasks.continual_reber(rng(), 3, 500)
    assert x.shape == (500, 3)
    after = np.take_along_axis(targets[:-1], x[1:, :, None], 2)
    assert (after == 1).all(), "a symbol came that was not allowed"


@pytest.mark.parametrize("letters", [2, 3])
def test_counting_says_what_may_come_next(letters: int) -> None:
    x, targets, lengths = tasks.counting([3, 1], letters)
    text = "".join("SabcT"[i] for i in x[: lengths[0], 0])
    assert text == "S" + "aaa" + "bbb" + "ccc"[: 3 * (letters - 2)]
    names = "SabT" if letters == 2 else "SabcT"
    may = ["".join(names[i] for i in np.flatnonzero(row)) for row in targets[: lengths[0], 0]]
    assert may == ["a", "ab", "ab", "ab", *"bb", *("cccT" if letters == 3 else "T")]
    assert not targets[lengths[1] :, 1].any()
    assert lengths[1] == letters + 1


def test_spike_delays_are_told_at_the_spike() -> None:
    x, targets, _ = tasks.spike_delay(rng(), 50, 150, 30, 60)
    for n in range(50):
        (spikes,) = np.nonzero(x[:, n, 0])
        (told,) = np.nonzero(targets[:, n] >= 0)
        np.testing.assert_array_equal(told, spikes[1:])
        np.testing.assert_allclose(targets[told, n], (np.diff(spikes) - 30) / 30, rtol=1e-6)
        assert spikes[0] < 60
    assert len(np.unique(targets)) > 25


def test_markov_source_has_its_entropy_and_its_transitions() -> None:
    source = rng()
    p, entropy = tasks.markov_chain(source, 5)
    ids = tasks.markov_source(source, p, 200_000)
    counts = np.zeros((5, 5))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    np.testing.assert_allclose(counts / counts.sum(1, keepdims=True), p, atol=0.02)
    nats = -np.log(p[ids[:-1], ids[1:]]).mean()
    assert nats == pytest.approx(entropy, abs=0.01)
    assert 0 < entropy < np.log(5)


def test_future_echo_asks_for_the_future() -> None:
    x, targets, _ = tasks.future_echo(rng(), 400, 12, 3, 4)
    np.testing.assert_array_equal(targets[:-3], x[3:])
    assert (targets[-3:] == -1).all()
    assert np.bincount(x.ravel()).min() > 400 * 12 / 4 * 0.8
