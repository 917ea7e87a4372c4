"""Why: an error is read by somebody who is stuck. Each one must name the argument, the rule in
symbols and numbers, and what came; here the words themselves are pinned, one case per argument.
"""

import re
from typing import Any

import numpy as np
import pytest

import fastrnn

T, N, I, H = 5, 3, 8, 64
F32 = np.float32


def zeros(*shape: int, dtype: Any = F32) -> np.ndarray:
    return np.zeros(shape, dtype)


GOOD = {"x": zeros(T, N, I), "w_ih": zeros(4 * H, I), "w_hh": zeros(4 * H, H)}
GOOD_GRU = {"x": zeros(T, N, I), "w_ih": zeros(3 * H, I), "w_hh": zeros(3 * H, H)}
GOOD_RNN = {"x": zeros(T, N, I), "w_ih": zeros(H, I), "w_hh": zeros(H, H)}

SHAPES = [
    (
        {"w_hh": zeros(H, 4 * H)},
        (
            "w_hh must have shape (4·H, H) = (256, 64) for an LSTM with H = 64, got (64, 256); "
            "did you pass its transpose?"
        ),
    ),
    (
        {"w_hh": zeros(100, H)},
        "w_hh must have shape (4·H, H) = (256, 64) for an LSTM with H = 64, got (100, 64)",
    ),
    ({"w_hh": zeros(4 * H)}, "w_hh must have shape (4·H, H), got (256,)"),
    ({"w_hh": zeros(0, 0)}, "w_hh must have shape (4·H, H) with H of at least 1, got (0, 0)"),
    (
        {"w_ih": zeros(I, 4 * H)},
        (
            "w_ih must have shape (4·H, I) = (256, 8) for an LSTM with H = 64, got (8, 256); "
            "did you pass its transpose?"
        ),
    ),
    (
        {"w_ih": zeros(3 * H, I)},
        "w_ih must have shape (4·H, I) = (256, I) for an LSTM with H = 64, got (192, 8)",
    ),
    (
        {"x": zeros(T, N, I + 1)},
        (
            "x must have shape (T, N, I), (N, T, I) with batch_first, or (T, I) where I = 8 is the "
            "number of columns of w_ih (G·H if w_ih is None), got (5, 3, 9)"
        ),
    ),
    ({"x": zeros(I)}, "got (8,)"),
    ({"x": zeros(1, T, N, I)}, "got (1, 5, 3, 8)"),
    (
        {"w_ih": None},
        "I = 256 is the number of columns of w_ih (G·H if w_ih is None), got (5, 3, 8)",
    ),
    (
        {"b_ih": zeros(H)},
        "b_ih must have shape (4·H,) = (256,) for an LSTM with H = 64, got (64,)",
    ),
    (
        {"b_hh": zeros(4 * H, 1)},
        "b_hh must have shape (4·H,) = (256,) for an LSTM with H = 64, got (256, 1)",
    ),
    (
        {"h0": zeros(H, N)},
        (
            "h0 must have shape (H,) or (N, H) = (3, 64) for an LSTM with H = 64, "
            "got (64, 3); did you pass its transpose?"
        ),
    ),
    (
        {"c0": zeros(1, N, H)},
        "c0 must have shape (H,) or (N, H) = (3, 64) for an LSTM with H = 64, got (1, 3, 64)",
    ),
    (
        {"w_peephole": zeros(H, 3)},
        (
            "w_peephole must have shape (3, H) or (3·H, H) = (3, 64) for an LSTM with H = 64, "
            "got (64, 3); did you pass its transpose?"
        ),
    ),
    (
        {"w_hr": zeros(2, H)},
        "w_hr must have shape (P, H) where P = 64 is the number of columns of w_hh, got (2, 64)",
    ),
    ({"w_hr": zeros(H)}, "w_hr must have shape (P, H) with 1 <= P <= H, got (64,)"),
    ({"clip": 0.0}, "clip must be above 0, got 0.0"),
    ({"lengths": [5, 5]}, "lengths must have shape (N,) = (3,), got (2,)"),
    ({"lengths": [5, 6, 5]}, "lengths must lie in 0..T = 0..5, got 6 in row 1"),
    ({"lengths": [5, 5, -1]}, "lengths must lie in 0..T = 0..5, got -1 in row 2"),
    ({"num_threads": 0}, "num_threads must be in 1..1024, got 0"),
    ({"num_threads": 1025}, "num_threads must be in 1..1024, got 1025"),
    ({"x": [[[1.0], [2.0]], [[1.0]]]}, "x is no regular array"),
]

TYPES = [
    (
        {"x": zeros(T, N, I, dtype=np.float64)},
        "x must be float32 as the other arrays of this call are, got float64",
    ),
    ({"x": zeros(T, N, I, dtype=np.int64)}, "x must be float32 or float64, got int64"),
    ({"x": zeros(T, N, I, dtype=bool)}, "x must be float32 or float64, got bool"),
    ({"x": zeros(T, N, I, dtype=complex)}, "x must be float32 or float64, got complex128"),
    ({"x": zeros(T, N, I, dtype=object)}, "x must be float32 or float64, got object"),
    ({"x": zeros(T, N, I, dtype=np.float16)}, "x must be float32 or float64, got float16"),
    ({"w_hh": zeros(4 * H, H, dtype=np.int64)}, "w_hh must be float32 or float64, got int64"),
    ({"w_hh": None}, "w_hh must be an array, got NoneType"),
    ({"x": None}, "x must be an array, got NoneType"),
    (
        {"x": np.ma.masked_array(zeros(T, N, I))},
        "x must not be a masked array; fill it first, or pass lengths",
    ),
    ({"w_hh": np.ma.masked_array(zeros(4 * H, H))}, "w_hh must not be a masked array"),
    ({"x": [[True, False]]}, "x must hold floating numbers, got a sequence of bool"),
    ({"x": [["1.5"]]}, "x must hold floating numbers, got a sequence of <U3"),
    ({"x": "text"}, "x must be an array, got str"),
    ({"b_ih": 1.0}, "b_ih must be an array, got float"),
    ({"lengths": [5.0, 5.0, 5.0]}, "lengths must hold integers, got float64"),
    ({"lengths": np.ones(3, bool)}, "lengths must hold integers, got bool"),
    ({"lengths": 3}, "lengths must be an array, got int"),
    ({"num_threads": 1.0}, "num_threads must be an integer, got 1.0"),
    ({"num_threads": True}, "num_threads must be an integer, got True"),
    ({"reverse": 1}, "reverse must be True or False, got 1"),
    ({"batch_first": "no"}, "batch_first must be True or False, got 'no'"),
    ({"activations": "tanh"}, "activations must be a tuple (f, g, h) of names, got 'tanh'"),
    ({"activations": ("tanh", "tanh", 1)}, "activations[2] must be a string, got 1"),
    ({"gates": None}, "gates must be a string of letters of 'ifo', got None"),
    ({"gates": np.array(["ifo"])}, "gates must be a string"),
    ({"input_forget": 1}, "input_forget must be True or False, got 1"),
]

CHOICES = [
    ({"activations": ("sigmoid", "tanh")}, "activations must be 3 names (f, g, h), got 2: "),
    ({"activations": ("sigmoidal", "tanh", "tanh")}, "activations[0] must be one of ('sigmoid',"),
    ({"activations": ["sigmoid", "swish", "tanh"]}, "activations[1] must be one of ('sigmoid',"),
    ({"gates": "ifg"}, "gates must hold letters of 'ifo', each at most once, got 'ifg'"),
    ({"gates": "ii"}, "gates must hold letters of 'ifo', each at most once, got 'ii'"),
    ({"gates": "io", "input_forget": True}, "input_forget=True makes the forget gate 1 - i, so"),
    ({"gates": "fo", "input_forget": True}, "gates must have both i and f, got gates='fo'"),
]

BACKWARD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"truncate": 0}, ValueError, "truncate must be at least 1, got 0"),
    ({"truncate": -(10**30)}, ValueError, "truncate must be at least 1, got -1"),
    ({"truncate": 2.0}, TypeError, "truncate must be an integer, got 2.0"),
    ({"truncate": True}, TypeError, "truncate must be an integer, got True"),
    ({"clip_step": 0}, ValueError, "clip_step must be above 0, got 0"),
    ({"clip_step": -1.5}, ValueError, "clip_step must be above 0, got -1.5"),
    ({"clip_step": np.nan}, ValueError, "clip_step must be finite, got nan"),
    ({"clip_step": np.inf}, ValueError, "clip_step must be finite, got inf"),
    ({"clip_step": 10**400}, ValueError, "clip_step must be finite, got 1"),
    ({"clip_step": True}, TypeError, "clip_step must be a real number, got True"),
    ({"clip_step": "1"}, TypeError, "clip_step must be a real number, got '1'"),
    ({"clip_step": np.ones(3)}, TypeError, "clip_step must be a real number"),
]


def ids(rows: list[Any]) -> list[str]:
    """Test ids: a number and the argument."""
    return [f"{k}-{next(iter(row[-2]))}" for k, row in enumerate(rows)]


@pytest.mark.parametrize(("changes", "message"), SHAPES, ids=ids(SHAPES))
def test_wrong_values(changes: dict[str, Any], message: str, backend: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        fastrnn.lstm(**{**GOOD, **changes})
    with pytest.raises(ValueError, match=re.escape(message)):
        fastrnn.lstm_forward(**{**GOOD, **changes})


@pytest.mark.parametrize(("changes", "message"), CHOICES, ids=ids(CHOICES))
def test_wrong_choices(changes: dict[str, Any], message: str, backend: str) -> None:
    for function in (fastrnn.lstm, fastrnn.lstm_forward):
        with pytest.raises(ValueError, match=re.escape(message)):
            function(**{**GOOD, **changes})
    with pytest.raises(ValueError, match=re.escape(message)):
        fastrnn.lstm_cell(zeros(N, I), None, GOOD["w_ih"], GOOD["w_hh"], **changes)


@pytest.mark.parametrize(("changes", "message"), TYPES, ids=ids(TYPES))
def test_wrong_types(changes: dict[str, Any], message: str, backend: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        fastrnn.lstm(**{**GOOD, **changes})


def test_an_option_given_as_its_default_is_accepted() -> None:
    activations = ("sigmoid", "tanh", "tanh")  # equal, not identical
    fastrnn.lstm(**GOOD, activations=activations, gates="ifo", clip=None)


@pytest.mark.parametrize("family", ["lstm", "gru", "rnn"])
def test_gradients(family: str, backend: str) -> None:
    good = {"lstm": GOOD, "gru": GOOD_GRU, "rnn": GOOD_RNN}[family]
    title = {"lstm": "an LSTM", "gru": "a GRU", "rnn": "an RNN"}[family]
    forward, backward = (getattr(fastrnn, f"{family}_{way}") for way in ("forward", "backward"))
    tape = forward(**good)[2]
    rule = f"dy must have shape (T, N, H) = (5, 3, 64) for {title} with H = 64, got (3, 5, 64)"
    with pytest.raises(ValueError, match=re.escape(rule)):
        backward(tape, zeros(N, T, H))
    rule = f"dh_n must have shape (N, H) = (3, 64) for {title} with H = 64, got (64,)"
    with pytest.raises(ValueError, match=re.escape(rule)):
        backward(tape, None, zeros(H))
    with pytest.raises(TypeError, match="dy must be float32 as the other arrays"):
        backward(tape, zeros(T, N, H, dtype=np.float64))
    for options, error, message in BACKWARD:
        with pytest.raises(error, match=re.escape(message)):
            backward(tape, **options)
    rule = re.escape("dy must have shape (N, T, H) = (3, 5, 64)")
    with pytest.raises(ValueError, match=rule):
        backward(forward(**good | {"x": zeros(N, T, I)}, batch_first=True)[2], zeros(T, N, H))
    with pytest.raises(ValueError, match=re.escape("dy must have shape (T, H) = (5, 64)")):
        backward(forward(**good | {"x": zeros(T, I)})[2], zeros(T, 1, H))
    backward(tape, zeros(T, N, H))  # refused calls have not spent it


def test_the_words_of_a_projected_state() -> None:
    weights = {"w_hh": zeros(4 * H, 2), "w_hr": zeros(2, H)}
    rule = "(P,) or (N, P) = (3, 2) for an LSTM with H = 64, got (3, 64)"
    with pytest.raises(ValueError, match=re.escape(f"h0 must have shape {rule}")):
        fastrnn.lstm(**GOOD | weights, h0=zeros(N, H))
    with pytest.raises(ValueError, match=re.escape(f"state[0] must have shape {rule}")):
        fastrnn.lstm_cell(zeros(N, I), (zeros(N, H), None), GOOD["w_ih"], **weights)


def test_the_words_of_other_cells() -> None:
    with pytest.raises(ValueError, match=re.escape("(3·H, H) = (192, 64) for a GRU with H = 64")):
        fastrnn.gru(**GOOD_GRU | {"w_hh": zeros(H, 3 * H)})
    with pytest.raises(ValueError, match=re.escape("(H, H) = (64, 64) for an RNN with H = 64")):
        fastrnn.rnn(**GOOD_RNN | {"w_hh": zeros(3, H)})
    with pytest.raises(ValueError, match=re.escape("nonlinearity must be one of ('sigmoid',")):
        fastrnn.rnn(**GOOD_RNN, nonlinearity="swish")
    with pytest.raises(TypeError, match="nonlinearity must be a string, got 3"):
        fastrnn.rnn(**GOOD_RNN, nonlinearity=3)
    with pytest.raises(TypeError, match="reset_after must be True or False, got 1"):
        fastrnn.gru(**GOOD_GRU, reset_after=1)


def test_cells() -> None:
    weights = (GOOD["w_ih"], GOOD["w_hh"])
    with pytest.raises(
        ValueError, match=re.escape("x_t must have shape (N, I) or (I,) where I = 8")
    ):
        fastrnn.lstm_cell(zeros(N, I + 1), None, *weights)
    with pytest.raises(ValueError, match="x_t must have shape"):
        fastrnn.lstm_cell(zeros(T, N, I), None, *weights)
    with pytest.raises(TypeError, match="state must be a tuple"):
        fastrnn.lstm_cell(zeros(N, I), zeros(2, N, H), *weights)
    with pytest.raises(ValueError, match=r"state must be a tuple \(h, c\), got 3 elements"):
        fastrnn.lstm_cell(zeros(N, I), (zeros(N, H),) * 3, *weights)
    with pytest.raises(
        ValueError, match=re.escape("state[1] must have shape (H,) or (N, H) = (3, 64)")
    ):
        fastrnn.lstm_cell(zeros(N, I), (zeros(N, H), zeros(N, 1)), *weights)
    with pytest.raises(ValueError, match="h must have shape"):
        fastrnn.gru_cell(zeros(N, I), zeros(2, H), GOOD_GRU["w_ih"], GOOD_GRU["w_hh"])
    with pytest.raises(ValueError, match="num_threads"):
        fastrnn.rnn_cell(zeros(N, I), None, GOOD_RNN["w_ih"], GOOD_RNN["w_hh"], num_threads=-1)


def test_absurd_sizes_end_quickly() -> None:
    one = np.ones(1, F32)
    for T_, N_ in ((2**40, 1), (1, 2**40), (2**28, 2**28), (2**20, 2**20)):
        x = np.broadcast_to(one, (T_, N_, 1))
        with pytest.raises(MemoryError, match=r"y of shape \(\d+, \d+, 64\)"):
            fastrnn.lstm(x, zeros(4 * H, 1), GOOD["w_hh"])
    foreign = np.broadcast_to(one.astype(">f4"), (2**40, 1, 1))
    with pytest.raises(MemoryError, match="x"):
        fastrnn.lstm(foreign, zeros(4 * H, 1), GOOD["w_hh"])
    mirrored = np.broadcast_to(one, (2**20, 2**20, 1))[:, :, ::-1]
    with pytest.raises(MemoryError):
        fastrnn.lstm(mirrored, zeros(4 * H, 1), GOOD["w_hh"])
