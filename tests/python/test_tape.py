"""Why: a tape is the one object that outlives a call. What it shows, when it refuses, what it lets
go of, and that nothing it returns shares memory with anything else.
"""

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from helpers.cases import CELLS, Case, draw

import fastrnn

T, N, I, H = 5, 3, 4, 6


def forward(cell: str, dtype: Any = np.float64, **changes: Any) -> tuple[Any, Any, Any]:
    """The public forward of a ragged problem with everything given, and its backward."""
    problem = draw(Case(cell, T=T, N=N, I=I, H=H, lengths="ragged")).astype(dtype)
    spec = problem.case.spec
    given = dict(spec.options) | dict(problem.floats().items())
    given |= {"lengths": problem.lengths} | changes
    given = {k: v for k, v in given.items() if k not in ("dy", "dh_n", "dc_n")}
    result = getattr(fastrnn, f"{spec.family}_forward")(**given)
    return result, getattr(fastrnn, f"{spec.family}_backward"), problem


@pytest.mark.parametrize("cell", CELLS)
def test_it_serves_once(cell: str, backend: str) -> None:
    (_, _, tape), backward, problem = forward(cell)
    assert tape.nbytes > 0
    backward(tape, problem.dy)
    assert tape.nbytes == 0
    with pytest.raises(ValueError, match="tape: this tape has been used"):
        backward(tape, problem.dy)
    with pytest.raises(ValueError, match=r"tape.gates: this tape has been used"):
        _ = tape.gates


@pytest.mark.parametrize("cell", CELLS)
def test_what_was_looked_at_stays(cell: str, backend: str) -> None:
    (y, _, tape), backward, problem = forward(cell)
    gates = tape.gates
    assert gates.shape == (T, N, problem.case.spec.gates, H)
    assert tape.gates is gates
    backward(tape, problem.dy)
    assert tape.gates is gates
    padding = ~problem.exists()
    assert not gates[padding].any()
    if problem.case.spec.cell_state:
        with pytest.raises(ValueError, match="used"):
            _ = tape.c
    else:
        with pytest.raises(ValueError, match=r"tape.c exists for an LSTM only"):
            _ = tape.c
    if problem.case.spec.family == "rnn":
        np.testing.assert_array_equal(gates[:, :, 0], y)


@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole"])
def test_gates_and_cells_tell_the_same_story(cell: str, backend: str) -> None:
    (y, (_, c_n), tape), _, problem = forward(cell)
    i, f, g, o = np.moveaxis(tape.gates, 2, 0)
    before = np.concatenate([problem.c0[None], tape.c[:-1]])
    exists = problem.exists()[..., None]
    np.testing.assert_allclose(tape.c, np.where(exists, f * before + i * g, 0), rtol=1e-12)
    np.testing.assert_allclose(y, o * np.tanh(tape.c), rtol=1e-12, atol=1e-15)
    last = problem.lengths - 1
    for row in np.flatnonzero(last >= 0):
        np.testing.assert_array_equal(tape.c[last[row], row], c_n[row])
    for array in (tape.gates, tape.c):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_y_is_read_only_and_a_copy_is_not(backend: str) -> None:
    (y, _, _), _, _ = forward("lstm")
    with pytest.raises(ValueError, match="read-only"):
        y[0] = 1
    y.copy()[0] = 1
    x, w = np.ones((3, 1)), np.ones((1, 1))
    for layout in ({"x": x}, {"x": x[:, None]}, {"x": x[None], "batch_first": True}):
        assert not fastrnn.rnn_forward(w_ih=w, w_hh=w, **layout)[0].flags.writeable
        assert fastrnn.rnn(w_ih=w, w_hh=w, **layout)[0].flags.writeable


@pytest.mark.parametrize("cell", CELLS)
def test_no_two_gradients_share_memory(cell: str, backend: str) -> None:
    (y, _, tape), backward, problem = forward(cell)
    upstream = [problem.dy, problem.dh_n, problem.dc_n][: 3 if problem.dc_n is not None else 2]
    before = [array.copy() for array in upstream]
    grads = backward(tape, *upstream)
    arrays = [array for array in vars(grads).values() if array is not None]
    others = [*problem.floats().values(), y]
    for k, array in enumerate(arrays):
        assert array.flags.writeable
        assert not any(np.shares_memory(array, other) for other in arrays[k + 1 :] + others)
    for array, copy in zip(upstream, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_mirror_what_was_given(cell: str, backend: str) -> None:
    problem = draw(Case(cell, T=T, N=N, I=I, H=H))
    spec = problem.case.spec
    options = dict(spec.options)
    if problem.w_peephole is not None:
        options["w_peephole"] = problem.w_peephole
    forward_, backward = (getattr(fastrnn, f"{spec.family}_{w}") for w in ("forward", "backward"))
    grads = backward(forward_(problem.x, problem.w_ih, problem.w_hh, **options)[2])
    for name in ("b_ih", "b_hh", "h0", "c0", "w_hr"):
        assert getattr(grads, name, None) is None
    for name in ("x", "w_ih", "w_hh"):
        assert getattr(grads, name).shape == getattr(problem, name).shape
        assert not getattr(grads, name).any(), "nothing came in, so nothing can come out"
    only_h0 = backward(forward_(problem.x, problem.w_ih, problem.w_hh, h0=problem.h0, **options)[2])
    assert only_h0.h0.shape == (N, H)
    assert getattr(only_h0, "c0", None) is None


def test_strangers_are_refused(backend: str) -> None:
    (_, _, lstm), _, _ = forward("lstm")
    (_, _, gru), _, _ = forward("gru_after")
    with pytest.raises(TypeError, match="tape must be what lstm_forward returned, got str"):
        fastrnn.lstm_backward("tape")
    with pytest.raises(
        ValueError, match="tape must come from lstm_forward, this one comes from gru"
    ):
        fastrnn.lstm_backward(gru)
    with pytest.raises(
        ValueError, match="tape must come from rnn_forward, this one comes from lstm"
    ):
        fastrnn.rnn_backward(lstm)
    fastrnn.lstm_backward(lstm)
    fastrnn.gru_backward(gru)


def test_a_tape_remembers_its_backend() -> None:
    with fastrnn.use_backend("reference"):
        (_, _, tape), backward, problem = forward("gru_before")
    twin = backward(tape, problem.dy)
    (_, _, tape), backward, problem = forward("gru_before")
    with fastrnn.use_backend("reference"):
        core = backward(tape, problem.dy)
    np.testing.assert_allclose(core.w_hh, twin.w_hh, rtol=1e-10)


def test_it_keeps_and_lets_go(backend: str) -> None:
    x, w = np.ones((T, N, 1)), np.ones((1, 1))
    watched = weakref.ref(x)
    y, _, tape = fastrnn.rnn_forward(x, w, w)
    del x, y
    gc.collect()
    assert watched() is not None
    fastrnn.rnn_backward(tape)
    gc.collect()
    assert watched() is None, "a used tape still holds x"


def test_one_of_many_threads_gets_it() -> None:
    (_, _, tape), backward, problem = forward("lstm")
    outcomes: list[Any] = []
    start = threading.Barrier(4)

    def use() -> None:
        start.wait()
        try:
            outcomes.append(backward(tape, problem.dy))
        except ValueError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(refused) == 3
    assert all("used" in text for text in refused)


@pytest.fixture
def debug() -> Any:
    """Debug checks on for the test."""
    fastrnn.set_debug(True)
    yield
    fastrnn.set_debug(False)


@pytest.mark.parametrize("name", ["x", "w_ih", "w_hh", "b_ih", "b_hh", "w_peephole", "h0", "c0"])
@pytest.mark.usefixtures("debug")
def test_debug_detects_a_change(name: str, backend: str) -> None:
    problem = draw(Case("lstm_peephole", T=T, N=N, I=I, H=H))
    given = {k: v.copy() for k, v in problem.floats().items() if k not in ("dy", "dh_n", "dc_n")}
    _, _, tape = fastrnn.lstm_forward(**given)
    kept = given[name].copy()
    given[name].flat[-1] += 1
    with pytest.raises(ValueError, match=f"^{name} was changed between forward and backward"):
        fastrnn.lstm_backward(tape, problem.dy)
    given[name][...] = kept
    fastrnn.lstm_backward(tape, problem.dy)  # refused, not spent


@pytest.mark.usefixtures("debug")
def test_debug_stays_quiet(backend: str) -> None:
    (_, _, tape), backward, problem = forward("lstm")
    backward(tape, problem.dy)
    x = np.asfortranarray(np.ones((T, N, I)))  # converted: the tape has its own copy
    _, _, tape = fastrnn.rnn_forward(x, np.ones((H, I)), np.eye(H))
    x[...] = 2
    fastrnn.rnn_backward(tape)
    nan = np.full((T, N, I), np.nan)
    fastrnn.rnn_backward(fastrnn.rnn_forward(nan, np.ones((H, I)), np.eye(H))[2])
