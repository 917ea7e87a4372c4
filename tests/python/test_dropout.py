"""Why: dropout that acts at the wrong place, at inference, or with a scale of its own still trains,
only worse. Its place, its scale and its reproducibility are pinned here.
"""

from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn.testing import gradcheck

T, N, I, H = 6, 4, 5, 32


def make(p: float, **options: Any) -> Any:
    options = {"dtype": np.float64, "rng": np.random.default_rng(1)} | options
    return fastrnn.GRU(I, H, options.pop("num_layers", 3), dropout=p, **options)


def test_it_acts_between_layers_in_training_only(backend: str, rng: Any) -> None:
    layer, plain = make(0.5), make(0.0)
    x = rng.standard_normal((T, N, I))
    expected, _ = plain(x)
    np.testing.assert_array_equal(layer(x)[0], expected)
    np.testing.assert_array_equal(layer.forward(x, training=False)[0], expected)
    y, state, _ = layer.forward(x, rng=np.random.default_rng(2))
    assert not np.isclose(y, expected).any()
    assert y.all(), "the last layer's output is not dropped"
    np.testing.assert_array_equal(state[0], plain(x)[1][0])  # below the first dropout


def test_the_generator_decides(backend: str, rng: Any) -> None:
    layer, x = make(0.5), rng.standard_normal((T, N, I))
    one, again = (layer.forward(x, rng=np.random.default_rng(2))[0] for _ in range(2))
    other = layer.forward(x, rng=np.random.default_rng(3))[0]
    fresh = [layer.forward(x)[0] for _ in range(2)]
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (fresh[0] != fresh[1]).any()
    swapped = make(0.5, batch_first=True)
    y = swapped.forward(x.swapaxes(0, 1), rng=np.random.default_rng(2))[0]
    np.testing.assert_array_equal(y.swapaxes(0, 1), one)


def test_by_hand(backend: str, rng: Any) -> None:
    """Masks are drawn layer by layer, time-major; what is kept is scaled by 1 / (1 - p)."""
    for merge_mode, width in (("concat", 2 * H), ("sum", H)):
        layer = make(0.25, num_layers=2, bidirectional=True, merge_mode=merge_mode)
        x = rng.standard_normal((T, N, I))
        tops = fastrnn.GRU(width, H, bidirectional=True, merge_mode=merge_mode, dtype=np.float64)
        tops.set_params({k: layer.params[k.replace("l0", "l1")] for k in tops.params})
        below = fastrnn.GRU(I, H, bidirectional=True, merge_mode=merge_mode, dtype=np.float64)
        below.set_params({k: layer.params[k] for k in below.params})
        mask = np.random.default_rng(7).random((T, N, width), dtype=np.float32) >= 0.25
        expected, _ = tops(np.where(mask, below(x)[0] * (1 / 0.75), 0.0))
        y, _, _ = layer.forward(x, rng=np.random.default_rng(7))
        np.testing.assert_array_equal(y, expected)
        assert 0.6 < mask.mean() < 0.9


def test_everything_dropped(backend: str, rng: Any) -> None:
    layer, x = make(1.0), rng.standard_normal((T, N, I))
    y, _, tape = layer.forward(x)
    np.testing.assert_array_equal(y, layer.forward(x[::-1])[0])
    grads = layer.backward(tape, np.ones_like(y))
    assert not grads.x.any()
    assert not grads.params["weight_ih_l0"].any()
    assert grads.params["weight_hh_l2"].any()


def test_the_gradient_goes_through_the_same_mask(backend: str, rng: Any) -> None:
    layer = fastrnn.GRU(2, 3, 3, dropout=0.4, bidirectional=True, dtype=np.float64, rng=rng)
    x, dy = rng.standard_normal((3, 2, 2)), rng.standard_normal((3, 2, 6))

    def loss(x: np.ndarray) -> float:
        return float((layer.forward(x, rng=np.random.default_rng(4))[0] * dy).sum())

    tape = layer.forward(x, rng=np.random.default_rng(4))[2]
    gradcheck(loss, {"x": x}, {"x": layer.backward(tape, dy).x})


def test_nan_in_padding_stays_out(backend: str, rng: Any) -> None:
    layer, lengths = make(0.5), [6, 2, 0, 4]
    x = rng.standard_normal((T, N, I))
    dirty = np.where((np.arange(T)[:, None] < lengths)[:, :, None], x, np.nan)
    results = []
    for form in (x, dirty):
        y, _, tape = layer.forward(form, lengths=lengths, rng=np.random.default_rng(2))
        results.append((y, layer.backward(tape, np.ones_like(y))))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1].x, results[1][1].x)
    for name, gradient in results[0][1].params.items():
        np.testing.assert_array_equal(results[1][1].params[name], gradient)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype: Any, rng: Any) -> None:
    layer = make(0.5, dtype=dtype)
    y, _, tape = layer.forward(rng.standard_normal((T, N, I)).astype(dtype))
    assert y.dtype == dtype
    assert layer.backward(tape, np.ones_like(y)).x.dtype == dtype
