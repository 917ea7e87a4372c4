"""Why: at 2,000 random cases per cell the worst error is a property of the kernels, not of luck.

Prints, for every cell and tensor, the worst relative error in both precisions and the case.
"""

import pytest
from cases import CELLS
from sweep import Sweep

CASES = 2000


@pytest.mark.parametrize("cell", CELLS)
def test_random_cases_equal_the_twin(cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = Sweep(cell).run(range(CASES))
    with capsys.disabled():
        print("\n" + sweep.table())
    assert not sweep.failures, "\n".join(sweep.failures[:20])
