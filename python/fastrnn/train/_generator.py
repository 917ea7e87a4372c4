"""The state of a NumPy generator as JSON, and back into a generator of the same kind."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return all that the next numbers depend on; integers as hexadecimal digits.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train._generator import generator_state
    >>> generator_state(np.random.default_rng(0))["bit_generator"]
    'PCG64'
    """
    return {key: _written(value) for key, value in rng.bit_generator.state.items()}


def set_generator_state(rng: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Bring the generator into a state that `generator_state` returned.

    Raises
    ------
    ValueError
        It is the state of another kind of generator, or none. The generator is as it was then.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train._generator import generator_state, set_generator_state
    >>> a, b = np.random.default_rng(0), np.random.default_rng(1)
    >>> set_generator_state(b, generator_state(a))
    >>> bool(a.random() == b.random())
    True
    """
    present = rng.bit_generator.state
    name = present["bit_generator"]
    if not isinstance(state, Mapping) or state.get("bit_generator") != name:
        raise ValueError(f"the generator is a {name}, its saved state is of another kind")
    try:
        rng.bit_generator.state = _read_like(present, state)
    except (TypeError, ValueError, KeyError, OverflowError):
        raise ValueError(f"the saved state of the {name} generator is not one") from None


def _written(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _written(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return [hex(number) for number in value.tolist()]
    return value if isinstance(value, str) else hex(int(value))


def _read_like(present: Any, value: Any) -> Any:
    """Read what `_written` wrote; the present state says what belongs where."""
    if isinstance(present, Mapping):
        if present.keys() != value.keys():
            raise KeyError
        return {key: _read_like(inner, value[key]) for key, inner in present.items()}
    if isinstance(present, np.ndarray):
        numbers = np.array([int(digits, 16) for digits in value], present.dtype)
        if numbers.shape != present.shape:
            raise ValueError
        return numbers
    return str(value) if isinstance(present, str) else int(value, 16)
