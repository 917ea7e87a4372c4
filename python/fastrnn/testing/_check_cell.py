"""check_cell: what every recurrent layer has to keep, tried on one of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn._checks import FLOAT64, Array

T, N = 5, 3
LENGTHS = (5, 2, 0)


def check_cell(cell: Any, rng: "np.random.Generator | int" = 0) -> list[str]:
    """Try a recurrent layer: its gradients, its padding, its rows, its states, its tape.

    Parameters
    ----------
    cell : layer
        A `fastrnn.LSTM`, `GRU` or `RNN` with any options, or an object with their `input_size`,
        `params`, `forward`, `backward` and call; float64, because differences in float32 prove
        nothing. It is left as it was.
    rng : numpy.random.Generator or int
        Where the problems come from.

    Returns
    -------
    list of str
        The names of the checks, all passed.

    Raises
    ------
    TypeError
        cell is no such layer, or its dtype is not float64.
    AssertionError
        A check failed; the message begins with its name.

    Notes
    -----
    In the manner of scikit-learn's ``check_estimator``. Masks of dropout and zoneout are drawn
    from a generator of the same seed in every call, so that the loss is a function of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> lstm = fastrnn.LSTM(2, 3, proj_size=2, zoneout=0.2, dtype=np.float64)
    >>> fastrnn.testing.check_cell(lstm)[:3]
    ['gradients', 'evaluation', 'padding']
    """
    for name in ("params", "forward", "backward", "input_size", "dtype"):
        if not hasattr(cell, name):
            raise TypeError(f"cell must be a recurrent layer, {type(cell).__name__} has no {name}")
    if cell.dtype != FLOAT64:
        raise TypeError(f"cell must be float64, as differences of float32 prove nothing: {cell!r}")
    try:
        source = np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(f"rng must be a Generator or a seed, got {rng!r}") from None
    before = {name: array.copy() for name, array in cell.params.items()}
    x = source.standard_normal((T, N, cell.input_size))
    batch_first, cell.batch_first = cell.batch_first, False
    try:
        for name, check in CHECKS.items():
            try:
                check(cell, x)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error
    finally:
        cell.batch_first = batch_first
        cell.params.update(before)
    return list(CHECKS)


def _flat(state: Any) -> list[Array]:
    """Return the arrays of a state of any form, h before c."""
    if isinstance(state, (tuple, list)):
        return [array for part in state for array in _flat(part)]
    return [] if state is None else [state]


def _same(got: Any, wanted: Any, what: str) -> None:
    for one, other in zip(_flat(got), _flat(wanted), strict=True):
        assert np.array_equal(one, other), f"{what} differs by {np.abs(one - other).max():.3g}"


def _forward(cell: Any, x: Array, state: Any = None, lengths: Any = LENGTHS) -> Any:
    return cell.forward(x, state, lengths=lengths, rng=np.random.default_rng(7))


def _drawn_state(cell: Any) -> Any:
    """Return a state of random numbers in the form of the layer's."""
    source = np.random.default_rng(8)

    def draw(like: Any) -> Any:
        if isinstance(like, (tuple, list)):
            return type(like)(draw(part) for part in like)
        return source.standard_normal(like.shape)

    return draw(cell(np.zeros((T, N, cell.input_size)))[1])


def _gradients(cell: Any, x: Array) -> None:
    """Every gradient against central differences, in a few random directions."""
    state = _drawn_state(cell)
    source = np.random.default_rng(9)
    y, final, tape = _forward(cell, x, state)
    dy = source.standard_normal(y.shape)
    dfinal = [source.standard_normal(array.shape) for array in _flat(final)]

    def loss(x: Array, state: Any) -> float:
        y, final, _ = _forward(cell, x, state)
        parts = zip(_flat(final), dfinal, strict=True)
        return float((y * dy).sum()) + sum(float((a * d).sum()) for a, d in parts)

    returned = iter(dfinal)

    def in_form(like: Any) -> Any:
        if isinstance(like, (tuple, list)):
            return type(like)(in_form(part) for part in like)
        return next(returned)

    grads = cell.backward(tape, dy, in_form(final))
    places = [("x", x, grads.x)] + [(n, cell.params[n], grads.params[n]) for n in cell.params]
    places += [
        (f"state[{k}]", array, grad)
        for k, (array, grad) in enumerate(zip(_flat(state), _flat(grads.state), strict=True))
    ]
    for name, array, grad in places:
        assert grad.shape == array.shape, f"the gradient of {name} has shape {grad.shape}"
        kept = array.copy()
        for _ in range(3):
            direction = source.standard_normal(array.shape)
            exact = float((grad * direction).sum())
            allowed = 1e-6 * max(1.0, abs(exact))
            for eps in (1e-6, 2e-7):  # where a norm bends sharply the first one is too long
                values = []
                for sign in (eps, -eps):
                    array[...] = kept + sign * direction
                    values.append(loss(x, state))
                slope = (values[0] - values[1]) / (2 * eps)
                if abs(slope - exact) <= allowed:
                    break
            array[...] = kept
            assert abs(slope - exact) <= allowed, f"{name}: {exact:.8g}, not {slope:.8g}"


def _evaluation(cell: Any, x: Array) -> None:
    """Forward without training is the plain call; y of forward is read-only."""
    y, state = cell(x, lengths=LENGTHS)
    kept, kept_state, _ = cell.forward(x, lengths=LENGTHS, training=False)
    _same(kept, y, "y of forward without training")
    _same(kept_state, state, "the state of forward without training")
    assert not kept.flags.writeable, "y of forward can be written to"


def _padding(cell: Any, x: Array) -> None:
    """What lies after a row's end is never read; y is zero there, and so is its gradient."""
    spoilt = x.copy()
    for n, length in enumerate(LENGTHS):
        spoilt[length:, n] = np.nan
    y, state, tape = _forward(cell, spoilt)
    clean, clean_state, _ = _forward(cell, x)
    _same(y, clean, "y with NaN in the padding")
    _same(state, clean_state, "the state with NaN in the padding")
    dy = np.ones_like(y)
    for n, length in enumerate(LENGTHS):
        assert (y[length:, n] == 0).all(), "y is not zero in the padding"
        dy[length:, n] = np.nan
    grads = cell.backward(tape, dy)
    assert all(np.isfinite(g).all() for g in grads.params.values()), "NaN came from the padding"
    for n, length in enumerate(LENGTHS):
        assert (grads.x[length:, n] == 0).all(), "the gradient by x is not zero in the padding"


def _rows(cell: Any, x: Array) -> None:
    """A row's result does not depend on the rows beside it."""
    y, _ = cell(x, lengths=LENGTHS)
    for n in range(N):
        alone, _ = cell(x[:, n : n + 1], lengths=LENGTHS[n : n + 1])
        _same(alone[:, 0], y[:, n], f"row {n} by itself")


def _states(cell: Any, x: Array) -> None:
    """Two calls that hand on the state are one; so is a stream."""
    if cell.bidirectional:
        return
    y, state = cell(x)
    first, between = cell(x[:2])
    rest, last = cell(x[2:], between)
    _same(np.concatenate([first, rest]), y, "y in two calls")
    _same(last, state, "the state after two calls")
    stream = cell.stream(N)
    _same(np.stack(list(map(stream.step, x))), y, "y of the stream")
    _same(stream.state, state, "the state of the stream")


def _empty(cell: Any, x: Array) -> None:
    """No steps, and no rows, are legal."""
    state = _drawn_state(cell)
    y, final, tape = _forward(cell, x[:0], state, lengths=None)
    assert y.shape[:2] == (0, N), f"y of no steps has shape {y.shape}"
    _same(final, state, "the state after no steps")
    grads = cell.backward(tape)
    assert all((g == 0).all() for g in grads.params.values()), "no steps gave a gradient"
    y, _, _ = _forward(cell, x[:, :0], lengths=None)
    assert y.shape[:2] == (T, 0), f"y of no rows has shape {y.shape}"


def _tapes(cell: Any, x: Array) -> None:
    """A tape serves once, and the weights and x are not written to."""
    before = x.copy(), {name: array.copy() for name, array in cell.params.items()}
    y, _, tape = _forward(cell, x)
    cell.backward(tape, np.ones_like(y))
    assert np.array_equal(x, before[0]), "x was written to"
    for name, array in cell.params.items():
        assert np.array_equal(array, before[1][name]), f"{name} was written to"
    try:
        cell.backward(tape, np.ones_like(y))
    except ValueError:
        return
    raise AssertionError("a tape served twice")


def _weights(cell: Any, x: Array) -> None:
    """The weights come back from `state_dict`."""
    y, _ = cell(x)
    saved = cell.state_dict()
    for array in cell.params.values():
        array[...] = 0.25
    cell.load_state_dict(saved)
    _same(cell(x)[0], y, "y with the weights loaded again")


CHECKS: dict[str, Callable[[Any, Array], None]] = {
    "gradients": _gradients,
    "evaluation": _evaluation,
    "padding": _padding,
    "rows": _rows,
    "states": _states,
    "empty": _empty,
    "tapes": _tapes,
    "weights": _weights,
}
