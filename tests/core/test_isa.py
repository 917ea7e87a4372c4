"""Why: a test of AVX2 that ran AVX-512 shows nothing. Each instruction set's table carries a name
compiled into its own object file; these tests hold the switches to that name, and the instruction
sets to each other.
"""

import numpy as np
import pytest
from helpers.cases import CELLS, OUTPUTS, draw, random_case
from helpers.processes import output_of, run_python
from helpers.runners import forced_isa, run_core
from helpers.tolerances import ISA, ISA_GRADIENT, assert_close

import fastrnn
from fastrnn import _core

DTYPES = ("float32", "float64")
REPORT = """
    import fastrnn
    from fastrnn import _core
    print(_core.isa(), _core.compiled_isa("float32"), _core.compiled_isa("float64"), fastrnn.isa())
"""


@pytest.mark.check(26)
@pytest.mark.parametrize("name", _core.available_isas())
def test_set_isa_is_the_one_that_runs(name: str) -> None:
    before = _core.isa()
    _core.set_isa(name)
    try:
        assert _core.isa() == name
        assert [_core.compiled_isa(dtype) for dtype in DTYPES] == [name, name]
    finally:
        _core.set_isa(before)


@pytest.mark.check(26)
@pytest.mark.parametrize("name", _core.available_isas())
def test_environment_forces_a_fresh_process(name: str) -> None:
    assert output_of(REPORT, env={"FASTRNN_ISA": name}).split() == [name] * 4


@pytest.mark.check(26)
def test_without_a_switch_the_strongest_runs() -> None:
    assert output_of(REPORT).split() == [_core.available_isas()[-1]] * 4


def test_baseline_is_always_there_and_weakest() -> None:
    assert _core.available_isas()[0] == "baseline"
    assert fastrnn.available_isas() == _core.available_isas()


def test_unknown_isa_fails_the_import_and_names_the_available_ones() -> None:
    done = run_python("import fastrnn", env={"FASTRNN_ISA": "sse9"})
    assert done.returncode == 1
    assert "ImportError" in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    for word in ("FASTRNN_ISA", "sse9", *_core.available_isas()):
        assert word in last, last


def test_an_unknown_way_to_fork_fails_the_import_too() -> None:
    done = run_python("import fastrnn", env={"FASTRNN_FORK": "foo"})
    assert done.returncode == 1
    assert "ImportError: FASTRNN_FORK must be 'serial' or unset, got 'foo'" in done.stderr
    assert run_python("import fastrnn", env={"FASTRNN_FORK": ""}).returncode == 0


@pytest.mark.parametrize("set_isa", [_core.set_isa, fastrnn.set_isa], ids=["_core", "fastrnn"])
def test_unknown_isa_raises_and_changes_nothing(set_isa: object) -> None:
    before = _core.isa()
    with pytest.raises(ValueError, match="sse9") as raised:
        set_isa("sse9")  # type: ignore[operator]
    assert all(name in str(raised.value) for name in _core.available_isas())
    assert _core.isa() == before


def test_unknown_dtype_of_compiled_isa_raises() -> None:
    with pytest.raises(ValueError, match="dtype"):
        _core.compiled_isa("float16")


@pytest.mark.every_isa
@pytest.mark.check(9, quick=170, full=1_670)
@pytest.mark.parametrize("cell", CELLS)
def test_instruction_sets_agree(cell: str, seeds: list[int]) -> None:
    """Within rounding, and NaN exactly where the others have it."""
    for seed in seeds:
        problem = draw(random_case(cell, seed))
        if problem.case.N > 1 and problem.case.T:
            x = problem.x.copy()
            x[0, 1, 0] = np.nan
            problem = problem.replace(x=x)
        for dtype in map(np.dtype, DTYPES):
            found = {}
            for name in _core.available_isas():
                with forced_isa(name):
                    found[name] = run_core(problem.astype(dtype), threads=1 + seed % 2)
            for name, results in found.items():
                _agree(results, found["baseline"], dtype, f"{problem.case} {name}")


def _agree(results: dict, baseline: dict, dtype: np.dtype, where: str) -> None:
    for key, array in results.items():
        known, unknown = ~np.isnan(baseline[key]), np.isnan(array)
        assert np.array_equal(unknown, ~known), f"{where} {key}: NaN in different places"
        bound = (ISA if key in OUTPUTS else ISA_GRADIENT)[dtype]
        mine, theirs = array[known], baseline[key][known]
        # Made of products that are flushed to zero, unless an instruction set fuses them.
        flushed = np.maximum(abs(mine), abs(theirs)) < 1e6 * np.finfo(dtype).tiny
        mine, theirs = np.where(flushed, 0, mine), np.where(flushed, 0, theirs)
        assert_close(f"{where} {key}", mine, theirs, bound)
