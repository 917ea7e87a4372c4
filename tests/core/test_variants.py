"""The cells' variants: core against twin, both against finite differences, PyTorch's projection."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.runners import forced_plan
from helpers.variants import VARIANTS, Sizes, Variant, arrays, core_and_twin, run, upstream

import fastrnn
from fastrnn import functional, reference

WORST = {np.float64: 1e-12, np.float32: 3e-5}  # of the largest element
SIZES = [Sizes(), Sizes(H=33, ragged=True), Sizes(H=17, ragged=True, reverse=True)]


def assert_close(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], worst: float) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].shape == array.shape, name
        assert found[name].dtype == array.dtype, name
        scale = max(1.0, float(np.max(np.abs(array), initial=0)))
        error = float(np.max(np.abs(found[name] - array), initial=0)) / scale
        assert error < worst, (name, error)


@pytest.mark.check(2)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_core_equals_twin(variant: Variant, isa: str, dtype: Any) -> None:
    for k, sizes in enumerate(SIZES):
        options = {"truncate": 2, "clip_step": 0.3} if k == 2 else {}
        found, wanted = core_and_twin(variant, sizes, dtype, threads=1 + k, **options)
        assert_close(found, wanted, WORST[dtype])


@pytest.mark.check(3)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_backward_is_the_slope_of_forward(variant: Variant) -> None:
    sizes = Sizes(T=3, N=2, I=2, H=5, ragged=True)
    given, back = arrays(variant, sizes, np.float64), upstream(variant, sizes, np.float64)
    found = run(functional, variant, given, back)
    upstreams = dict(zip(("y", "h_n", "c_n"), back.values(), strict=False))

    def loss(**changed: Any) -> float:
        y, state = getattr(functional, variant.family)(**given | changed)
        results = {"y": y} | dict(
            zip(("h_n", "c_n"), state if variant.family == "lstm" else (state,), strict=False)
        )
        return sum(float((results[name] * up).sum()) for name, up in upstreams.items())

    rng = np.random.default_rng(3)
    for name in [name[1:] for name in found if name.startswith("d")]:
        direction = rng.standard_normal(given[name].shape)
        step = 1e-6
        slope = loss(**{name: given[name] + step * direction})
        slope = (slope - loss(**{name: given[name] - step * direction})) / (2 * step)
        exact = float((found[f"d{name}"] * direction).sum())
        assert abs(slope - exact) < 1e-6 * max(1.0, abs(exact)), name


@pytest.mark.check(7)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_row_depends_neither_on_its_batch_nor_on_threads(variant: Variant) -> None:
    sizes = Sizes(N=9, H=19, ragged=True)
    given, back = arrays(variant, sizes, np.float32), upstream(variant, sizes, np.float32)
    one = run(functional, variant, given, back, num_threads=1)
    for threads in (2, 3):
        many = run(functional, variant, given, back, num_threads=threads)
        assert all(np.array_equal(one[name], many[name]) for name in one)
    alone = {name: given[name][4:5] for name in ("h0", "c0") if name in given}
    alone |= {"x": given["x"][:, 4:5], "lengths": given["lengths"][4:5]}
    if "masks" in given:
        m, h, c, _ = given["masks"]
        alone["masks"] = fastrnn.Masks(
            None if m is None else m[4:5], *(k if k is None else k[:, 4:5] for k in (h, c))
        )
    row_back = {
        name: array[:, 4:5] if name == "dy" else array[4:5] for name, array in back.items()
    }
    row = run(functional, variant, given | alone, row_back)
    for name, axis in {"y": 1, "h_n": 0, "c_n": 0, "dx": 1, "dh0": 0, "dc0": 0}.items():
        if name in one:
            assert np.array_equal(np.take(one[name], [4], axis), row[name]), name


# Groups of four panels on every instruction set, so that each of the threads has units of its own.
ALONE = Sizes(N=1, H=150)


@pytest.mark.check(6)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_threads_that_share_the_units_of_one_row_change_no_bit(variant: Variant) -> None:
    wide = dataclasses.replace(variant, P=variant.P and 90)
    for dtype, sizes in (
        (np.float32, ALONE),
        (np.float64, dataclasses.replace(ALONE, N=3, ragged=True, reverse=True)),
    ):
        given, back = arrays(wide, sizes, dtype), upstream(wide, sizes, dtype)
        back |= {"truncate": 2}
        one = run(functional, wide, given, back, num_threads=1)
        for threads in (2, 3, 4):
            for chunk in (0, 2):
                with forced_plan("units", chunk):
                    many = run(functional, wide, given, back, num_threads=threads)
                for name in one:
                    assert np.array_equal(one[name], many[name]), (threads, chunk, name)


def test_a_diagonal_matrix_equals_diagonal_peepholes() -> None:
    sizes = Sizes(H=7)
    given = arrays(Variant("lstm", peephole="diagonal"), sizes, np.float64)
    full = np.concatenate([np.diag(row) for row in given["w_peephole"]])
    y, _ = fastrnn.lstm(**given)
    y_full, _ = fastrnn.lstm(**given | {"w_peephole": full})
    assert np.abs(y - y_full).max() < 1e-14


def test_what_does_not_go_together_is_refused() -> None:
    given = arrays(Variant("lstm", peephole="full", masks="mh"), Sizes(), np.float64)
    keep = np.ones((6, 5, 7))
    with pytest.raises(ValueError, match=r"^masks\.c_keep, .* not supported together"):
        fastrnn.lstm(**given | {"masks": fastrnn.Masks(c_keep=keep)})
    gru = arrays(Variant("gru"), Sizes(), np.float64)
    with pytest.raises(ValueError, match=r"^masks\.c_keep is for an LSTM"):
        fastrnn.gru(**gru | {"masks": fastrnn.Masks(c_keep=keep)})
    with pytest.raises(TypeError, match=r"^masks must be a fastrnn\.Masks, got dict"):
        fastrnn.gru(**gru | {"masks": {"h_mask": keep[0]}})
    with pytest.raises(ValueError, match=r"^masks\.h_mask must have shape \(N, H\) = \(5, 7\)"):
        fastrnn.gru(**gru | {"masks": fastrnn.Masks(h_mask=keep)})


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.filterwarnings("ignore:LSTM with projections")  # it says that it is slow
@pytest.mark.parametrize("P", [1, 4, 11])
def test_projection_equals_torch(P: int, bias: bool, dtype: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    T, N, I, H = 7, 3, 5, 12
    module = torch.nn.LSTM(I, H, proj_size=P, bias=bias).to(getattr(torch, np.dtype(dtype).name))
    rng = np.random.default_rng(P)
    x, h0, c0 = (rng.standard_normal(s).astype(dtype) for s in ((T, N, I), (N, P), (N, H)))
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, h0[None], c0[None])]
    y_t, (h_t, c_t) = module(inputs[0], tuple(inputs[1:]))
    weights = {name: p.detach().numpy() for name, p in module.named_parameters()}
    names = {"w_ih": "weight_ih_l0", "w_hh": "weight_hh_l0", "w_hr": "weight_hr_l0"}
    names |= {"b_ih": "bias_ih_l0", "b_hh": "bias_hh_l0"} if bias else {}
    given = {argument: weights[name] for argument, name in names.items()}
    y, (h_n, c_n), tape = fastrnn.lstm_forward(x, **given, h0=h0, c0=c0)
    dy, dh, dc = (rng.standard_normal(a.shape).astype(dtype) for a in (y, h_n, c_n))
    up = [torch.tensor(a) for a in (dy, dh[None], dc[None])]
    ((y_t * up[0]).sum() + (h_t * up[1]).sum() + (c_t * up[2]).sum()).backward()
    grads = fastrnn.lstm_backward(tape, dy, dh, dc)
    wanted = {"y": y_t.detach(), "h_n": h_t[0].detach(), "c_n": c_t[0].detach()}
    wanted |= {"x": inputs[0].grad, "h0": inputs[1].grad[0], "c0": inputs[2].grad[0]}
    parameters = dict(module.named_parameters())
    wanted |= {argument: parameters[name].grad for argument, name in names.items()}
    found = {"y": y, "h_n": h_n, "c_n": c_n}
    found |= {name: getattr(grads, name) for name in wanted if name not in found}
    assert_close(found, {name: np.asarray(value) for name, value in wanted.items()}, WORST[dtype])


def test_the_twin_runs_as_a_backend() -> None:
    variant = Variant("lstm", peephole="full", P=3, masks="mh")
    given = arrays(variant, Sizes(), np.float64)
    with fastrnn.use_backend("reference"):
        y, _ = fastrnn.lstm(**given)
    assert np.array_equal(y, reference.lstm(**given)[0])
