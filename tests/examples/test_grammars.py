"""Why: counting and endless grammars are what linear cells and the forget gate are for."""

import numpy as np

from fastrnn.data import tasks
from fastrnn.examples import counting, reber


def test_right_means_that_the_likeliest_symbols_are_those_that_may_come() -> None:
    targets = np.array([[[1, 1, 0], [0, 0, 1]]], np.float32)
    counted = np.array([[True, True]])
    scores = np.array([[[0.2, 0.1, 0.0], [0.0, 0.5, 0.4]]])
    assert reber.right(scores, targets, counted).tolist() == [[True, False]]
    assert reber.right(scores, targets, ~counted).tolist() == [[True, True]]


class Perfect:
    """A model that has read the definition, up to a count."""

    def __init__(self, most: int) -> None:
        self.most = most

    def scores(self, x: np.ndarray) -> tuple[np.ndarray, None]:
        n = (len(x) - 1) // 2
        return (2 * tasks.counting([n]).targets - 1) * (1 if n <= self.most else -1), None


def test_reach_is_the_last_count_before_the_first_mistake() -> None:
    assert counting.reach(Perfect(13), 2) == 13
    assert counting.reach(Perfect(0), 2) == 0
    assert counting.reach(Perfect(10**6), 2) == counting.MOST


def test_counting_goes_on_beyond_what_was_trained() -> None:
    assert max(counting.train(0, 2, 1200)) > 2 * counting.LARGEST


def test_the_forget_gate_keeps_the_cells_small_on_an_endless_stream() -> None:
    _, far, largest, gates = reber.continual(0, "ifo", test=500)
    _, chance, larger, _ = reber.continual(0, "io", updates=500, test=500)
    assert far > 0.9
    assert chance < 0.7
    assert larger > 5 * largest
    assert gates.shape == (80, 1, 4, 12)
