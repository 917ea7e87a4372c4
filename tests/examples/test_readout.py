"""Why: all experiments learn through this read-out; its gradients are finite differences."""

import numpy as np
import pytest
from autograd.tracer import getval

import _readout as example
import fastrnn

LENGTHS = np.array([6, 3, 1])


class Recorder:
    """An optimiser that keeps the gradients and changes nothing."""

    def update(self, params: dict, grads: dict) -> None:
        self.grads = grads


def problems() -> dict:
    rng = np.random.default_rng(0)
    counted = np.arange(6)[:, None] < LENGTHS
    ids = np.where(counted, rng.integers(0, 2, (6, 3)), -1)
    yes = rng.integers(0, 2, (6, 3, 2)).astype(float)
    return {
        "softmax of steps": (False, 2, example.softmax(ids)),
        "sigmoid of steps": (False, 2, example.sigmoid(yes, counted)),
        "softmax of states": (True, 2, example.softmax(np.array([1, 0, 1]))),
        "squared of states": (True, 1, example.squared(rng.random(3))),
    }


@pytest.mark.parametrize("name", problems())
@pytest.mark.parametrize("kind", [fastrnn.LSTM, fastrnn.GRU, fastrnn.RNN])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_are_finite_differences(name: str, kind: type, bidirectional: bool) -> None:
    last, outputs, loss = problems()[name]
    rng = np.random.default_rng(1)
    layer = kind(4, 3, bidirectional=bidirectional, dtype=np.float64, rng=rng)
    model = example.Readout(layer, outputs, rate=0.1, rng=rng, last=last, max_norm=1e9)
    model.optimiser = recorder = Recorder()
    x = rng.standard_normal((6, 3, 4))
    value, _ = model.update(x, loss, lengths=LENGTHS)
    flat = {**layer.params, "w": model.params["w"], "b": model.params["b"]}
    grads = {**recorder.grads["rnn"], "w": recorder.grads["w"], "b": recorder.grads["b"]}
    assert set(grads) == set(flat)
    assert value == pytest.approx(loss(model.scores(x, lengths=LENGTHS)[0]))
    for key, w in flat.items():
        place = tuple(int(i) for i in rng.integers(0, w.shape))
        values = []
        for sign in (1, -1):
            w[place] += sign * 1e-6
            values.append(loss(model.scores(x, lengths=LENGTHS)[0]))
            w[place] -= sign * 1e-6
        slope = (values[0] - values[1]) / 2e-6
        assert grads[key][place] == pytest.approx(slope, rel=1e-5, abs=1e-8), key


def test_dropout_keeps_the_mean_and_stays_out_of_the_scores() -> None:
    rng = np.random.default_rng(2)
    layer = fastrnn.GRU(4, 64, rng=rng)
    model = example.Readout(layer, 1, rate=0.0, rng=rng, last=True, dropout=0.5)
    x, seen = rng.standard_normal((5, 200, 4), np.float32), []

    def loss(scores):
        seen.append(getval(scores))
        return scores.sum()

    for _ in range(200):
        model.update(x, loss)
    scores, _ = model.scores(x)
    assert np.std(seen[0] - seen[1]) > 1e-3
    np.testing.assert_allclose(np.mean(seen, 0), scores, atol=0.1)


def test_fit_sees_every_series_once_an_epoch_and_learns() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 60)
    series = [rng.standard_normal((n, 3)).astype(np.float32) for n in rng.integers(2, 9, 60)]
    for one, label in zip(series, labels, strict=True):
        one[0, 0] = 2 * label - 1
    model = example.Readout(fastrnn.LSTM(3, 16, rng=rng), 2, rate=1e-2, rng=rng, last=True)
    losses = example.fit(model, series, labels, epochs=25, batch_size=16, seed=0)
    assert len(losses) == 25 * 4
    assert losses[0] > 0.5
    assert np.mean(losses[-4:]) < 0.1
