"""Cases of the general cells: every set of gates, every activation in every place, no kink near.

relu and hard_sigmoid have kinks, at which a rounding may change a slope. `draw_smooth` draws until
no pre-activation is close to one.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np

from fastrnn.reference import _math
from helpers.cases import Case, Problem, draw
from helpers.tolerances import KINK
from helpers.twins import forward, inputs

ACTIVATIONS = ("sigmoid", "tanh", "relu", "linear", "hard_sigmoid")
GATES = [(gates, False) for gates in ("", "i", "f", "o", "if", "io", "fo", "ifo")]
COUPLED = [("if", True), ("ifo", True)]
KINKS = {"relu": (0.0,), "hard_sigmoid": (-2.5, 2.5)}

Choice = dict[str, Any]


def lstm_choices() -> list[Choice]:
    """Each set of gates twice, the activations turning; with and without peepholes."""
    found = []
    for k, (gates, coupled) in enumerate([*GATES, *COUPLED] * 2):
        places = k % 5, (2 * k + k // 5) % 5, (3 * k + 1) % 5
        choices = {"activations": tuple(ACTIVATIONS[place] for place in places), "gates": gates}
        choices |= {"input_forget": True} if coupled else {}
        found.append({"choices": tuple(choices.items()), "peephole": k >= 10 or k % 3 == 0})
    return found


def gru_choices() -> list[Choice]:
    """Each pair of activations."""
    return [{"choices": (("activations", (f, g)),)} for f in ACTIVATIONS for g in ACTIVATIONS]


def cases(**sizes: Any) -> list[Case]:
    """One case for each choice, the three general cells together."""
    found = [Case("lstm_general", **sizes, **choice) for choice in lstm_choices()]
    for k, choice in enumerate(gru_choices()):
        found.append(Case(("gru_after_general", "gru_before_general")[k % 2], **sizes, **choice))
    return found


@contextlib.contextmanager
def recorded_kinks() -> Iterator[list[float]]:
    """How near the twin's pre-activations come to a kink, while it runs."""
    near: list[float] = [np.inf]

    def recording(name: str) -> Any:
        function, backward = _math.ACTIVATIONS[name]

        def run(xp: Any, x: Any, *numbers: float) -> Any:
            for kink in KINKS[name]:
                distance = np.abs(x - kink)  # 0 is the padding of a row, which is no step
                near.append(float(np.min(distance, where=distance > 0, initial=np.inf)))
            return function(xp, x, *numbers)

        return run, backward

    with patch.dict(_math.ACTIVATIONS, {name: recording(name) for name in KINKS}):
        yield near


def draw_smooth(case: Case, margin: float = KINK) -> Problem:
    """The arrays of a case, drawn until every pre-activation keeps this distance from kinks."""
    for seed in range(case.seed, case.seed + 400):
        problem = draw(dataclasses.replace(case, seed=seed))
        with recorded_kinks() as near:
            forward(problem, inputs(problem))
        if min(near) > margin:
            return problem
    raise AssertionError(f"no smooth draw for {case}")
