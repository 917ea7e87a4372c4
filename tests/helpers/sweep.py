"""The random sweep: many random layer calls against the twin, remembering the worst errors."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from helpers.cases import check_trusted, draw, random_case
from helpers.compare import bound_of
from helpers.runners import forced_isa, isas_under_test, run_core, run_twin
from helpers.tolerances import worst

PRECISIONS = (np.dtype(np.float64), np.dtype(np.float32))
SPLITS = (None, "rows", "units")


class Sweep:
    """Worst relative error per tensor and precision, and every case beyond its bound."""

    def __init__(self, cell: str) -> None:
        self.cell = cell
        self.count = 0
        self.worst: dict[tuple[str, np.dtype], tuple[float, str]] = defaultdict(lambda: (0.0, ""))
        self.failures: list[str] = []

    def run(self, seeds: Iterable[int]) -> "Sweep":
        """Run the cases of these seeds; the plan and instruction set turn with the seed."""
        isas = isas_under_test()
        for seed in seeds:
            case = random_case(self.cell, seed)
            expected = run_twin(draw(case))
            check_trusted(draw(case), expected)
            plan = {
                "threads": 1 + seed % 2,
                "split": SPLITS[seed % 3],
                "chunk": (0, 1, 3)[seed % 3],
            }
            for dtype in PRECISIONS:
                with forced_isa(isas[seed % len(isas)]):
                    actual = run_core(draw(case).astype(dtype), **plan)
                for name, array in expected.items():
                    self._record(name, dtype, worst(actual[name], array), str(case))
            self.count += 1
        return self

    def _record(self, name: str, dtype: np.dtype, error: float, case: str) -> None:
        if error > self.worst[name, dtype][0]:
            self.worst[name, dtype] = (error, case)
        if error > bound_of(name, dtype):
            self.failures.append(f"{name} {dtype}: {error:.3g} in {case}")

    def table(self) -> str:
        """One line per tensor: the worst errors, and where."""
        names = dict.fromkeys(name for name, _ in self.worst)
        lines = [f"{self.cell}: worst relative error of {self.count} random cases"]
        for name in names:
            errors = [self.worst[name, dtype] for dtype in PRECISIONS]
            figures = "  ".join(
                f"{d.name} {e:.2e}" for d, (e, _) in zip(PRECISIONS, errors, strict=True)
            )
            lines.append(f"  {name:12} {figures}  {errors[1][1]}")
        return "\n".join(lines)
