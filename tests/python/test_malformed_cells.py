"""Why: one step alone has arguments of its own; thousands of calls, each wrong in one of them, must
end in an explained error and leave the next good call right.
"""

from typing import Any

import numpy as np
import pytest
from helpers import malformed
from helpers.malformed import Subject

import fastrnn

N, I, H = 3, 4, 6
LEAST = 200  # calls per cell


@pytest.mark.check(10)
@pytest.mark.parametrize("family", ["rnn", "lstm", "gru"])
def test_every_argument_of_a_step(family: str, dtype: np.dtype) -> None:
    G = {"rnn": 1, "lstm": 4, "gru": 3}[family]
    h = np.zeros((N, H), dtype)
    name = "state" if family == "lstm" else "h"
    good: dict[str, Any] = {
        "x_t": np.ones((N, I), dtype),
        name: (h, h.copy()) if family == "lstm" else h,
        "w_ih": np.ones((G * H, I), dtype),
        "w_hh": np.ones((G * H, H), dtype),
        "b_ih": np.ones(G * H, dtype),
        "b_hh": np.ones(G * H, dtype),
    }
    if family == "lstm":
        good["w_peephole"] = np.ones((3, H), dtype)
    wrong: dict[str, Any] = {
        key: malformed.array(value, required=key in ("x_t", "w_ih", "w_hh"))
        for key, value in good.items()
        if key != name
    }
    bad_states = list(malformed.array(h, required=False, vector=True))
    if family == "lstm":
        wrong["state"] = [*malformed.of("hc", h, (h,), (h, h, h), 1.0, {"h": h})]
        wrong["state"] += [(label, (bad, h)) for label, bad in bad_states]
        wrong["state"] += [(label, (h, bad)) for label, bad in bad_states]
    else:
        wrong["h"] = bad_states
    if family == "gru":
        wrong["reset_after"] = malformed.of(*malformed.NO_FLAGS)
    if family == "rnn":
        wrong["nonlinearity"] = malformed.of("tanhs", "selu", "", None, 3, b"tanh", ["tanh"])
    wrong["num_threads"] = malformed.of(*malformed.NO_COUNTS, 0, True)
    function = getattr(fastrnn, f"{family}_cell")
    expected = function(**good)
    assert Subject(function.__name__, function, good, wrong).run() > LEAST
    np.testing.assert_array_equal(function(**good), expected)
