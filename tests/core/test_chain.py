"""Why: an error of one step is invisible; 2,000 steps of an identity activation multiply it. The
linear cell near the edge of stability, against a float64 loop written here, shows drift.
"""

import numpy as np
import pytest
from helpers.cases import Case, draw
from helpers.runners import run_core
from helpers.tolerances import CHAIN, assert_close

STEPS = 2000
# H, N
SIZES = [(8, 1), (9, 3), (1, 2), (17, 2), (33, 1), (2, 5), (16, 1), (31, 2), (64, 1), (7, 19)]


def chain(H: int, N: int, seed: int) -> tuple:
    """A linear RNN of spectral radius 0.99 with h0, x and dh_n."""
    problem = draw(Case("rnn_linear", T=1, N=N, I=H, H=H, bias="none", upstream="state", seed=seed))
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((H, H)))[0]
    x = 0.1 * rng.standard_normal((STEPS, N, H))
    return problem.replace(
        x=x.astype(np.float32).astype(np.float64),
        w_hh=(0.99 * rotation).astype(np.float32).astype(np.float64),
        w_ih=np.eye(H),
    )


@pytest.mark.check(5, quick=1, full=10)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_two_thousand_linear_steps(reverse: bool, isa: str, dtype: np.dtype, count: int) -> None:
    import dataclasses

    for seed, (H, N) in enumerate(SIZES[:count]):
        problem = chain(H, N, seed)
        case = dataclasses.replace(problem.case, T=STEPS, reverse=reverse)
        problem = problem.replace(case=case)
        order = range(STEPS)[:: -1 if reverse else 1]
        y, h = np.empty_like(problem.x), problem.h0
        for t in order:
            y[t] = h = problem.x[t] + h @ problem.w_hh.T
        dh = problem.dh_n
        dx = np.empty_like(problem.x)
        for t in list(order)[::-1]:
            dx[t] = dh
            dh = dh @ problem.w_hh
        found = run_core(problem.astype(dtype), threads=2)
        expected = {"y": y, "h_n": h, "dx": dx, "dh0": dh}
        for name, array in expected.items():
            assert np.abs(array).max() > 1e-10, f"{name} has died out: nothing is tested"
            assert_close(f"{isa} H={H} {name}", found[name], array, CHAIN[dtype])
