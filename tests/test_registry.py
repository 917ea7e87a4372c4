"""Why: a cell that has no twin, test, page or bench is half a cell. One list in the core names the
cells, and everything that must exist for each of them is looked up from that list.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.cases import CELLS, Case, draw
from helpers.operations import OPERATIONS
from helpers.runners import run_core, run_twin
from helpers.source import CORE, PACKAGE, ROOT, files, name

import fastrnn
from fastrnn import _core, reference

pytestmark = pytest.mark.skipif(not CORE.is_dir(), reason="the source tree is not here")


def listed() -> list[str]:
    """The names in THE LIST."""
    text = (CORE / "cells" / "list.h").read_text()
    return re.findall(r"^\s*X\((\w+),", text, re.MULTILINE)


def test_the_list_drives_the_enum_and_the_tests() -> None:
    assert len(listed()) >= 8
    assert list(_core.Cell.__members__) == listed()
    assert list(CELLS) == listed(), "a cell without a row in tests/helpers/cases.py is not tested"


@pytest.mark.parametrize("cell", listed() if CORE.is_dir() else [])
def test_every_cell_has_all_that_belongs_to_it(cell: str) -> None:
    spec = CELLS[cell]
    for function in (spec.family, f"{spec.family}_forward", f"{spec.family}_backward"):
        assert callable(getattr(fastrnn, function))
        assert callable(getattr(reference, function)), f"no twin {function}"
    assert callable(getattr(fastrnn, f"{spec.family}_cell"))
    assert callable(getattr(fastrnn, spec.family.upper()))
    pages = [ROOT / "docs" / "maths" / f"{page}.md" for page in (cell, spec.family)]
    page = next((path for path in pages if path.is_file()), None)
    assert page is not None, f"no page docs/maths/{spec.family}.md"
    word = cell.rsplit("_", maxsplit=1)[-1] if cell != "lstm" else "lstm"
    wanted = {"after": "reset_after", "before": "reset_after"}.get(word, word)
    assert wanted.lower() in page.read_text().lower(), f"{name(page)} does not speak of {wanted}"


@pytest.mark.parametrize("cell", listed() if CORE.is_dir() else [])
def test_every_cell_has_a_bench_row(cell: str) -> None:
    """Read, not imported: the benches need packages of their own."""
    tree = ast.parse((ROOT / "bench" / "cases.py").read_text())
    keys = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert cell in keys


def table_of_operations() -> list[str]:
    """The forward kernels of the second table, by name."""
    text = (CORE / "nn" / "table.h").read_text()
    return re.findall(r"^\s*NnKernel<\w+<T>> (\w+)_forward;", text, re.MULTILINE)


@pytest.mark.parametrize("operation", table_of_operations() if CORE.is_dir() else [])
def test_every_operation_has_all_that_belongs_to_it(operation: str) -> None:
    assert operation in OPERATIONS, "an operation without a row in tests/ops is not tested"
    assert callable(getattr(fastrnn.ops, operation)), "no primitive"
    for twin in (operation, f"{operation}_backward"):
        assert callable(getattr(reference, twin)), f"no twin {twin}"
    assert f'"{operation}":' in (ROOT / "bench" / "bench_ops.py").read_text(), "no bench row"
    page = ROOT / "docs" / "maths" / f"{operation}.md"
    assert page.is_file(), f"no page {name(page)}"


def test_the_options_of_the_table_reach_their_cell() -> None:
    """Two cells that gave one result would mean that a row of the table names the wrong one."""
    seen: dict[bytes, str] = {}
    for cell in CELLS:
        if cell == "lstm_peephole":
            continue  # it differs from lstm by an argument, and that is tested by its gradient
        problem = draw(Case(cell, T=3, N=2, I=4, H=5))
        twin = run_twin(problem)["y"]
        np.testing.assert_allclose(run_core(problem)["y"], twin, rtol=1e-9)
        assert seen.setdefault(twin.tobytes(), cell) == cell


# Time steps are looped over in C++; these may do it in Python, for they are the specification or
# need the result of one step to choose the next input.
LOOPS_OVER_TIME = (
    "python/fastrnn/reference/",
    "python/fastrnn/decode/",
    "python/fastrnn/models/forecaster.py",  # draws a value, which the next step sees
)
# What may open a file for writing, and what it writes.
WRITERS = {
    "python/fastrnn/io/_files.py": "everything that is saved",
    "python/fastrnn/plot/__init__.py": "a picture into memory, on its way to _files.py",
    "python/fastrnn/cli/_one_line.py": "/dev/null, after a broken pipe",
}


def python_of_the_package() -> list[Path]:
    return files(PACKAGE, ".py")


def is_over_time(target: str, iterable: str) -> bool:
    """Whether a loop's words say that it runs over the steps of a sequence."""
    if re.fullmatch(r"t|time|step|steps?_?[it]?|x_t|h_t|y_t|time_step", target):
        return True
    sizes = r"\bT\b|\bsteps\b|shape\[0\]|len\(x\)|\bx\b|\by\b"
    counted = re.search(rf"\b(range|enumerate|reversed|zip)\s*\([^)]*({sizes})", iterable)
    return bool(counted) or iterable in ("x", "y", "dy")


def test_no_python_loop_over_time_steps() -> None:
    found = []
    for path in python_of_the_package():
        if name(path).startswith(LOOPS_OVER_TIME):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.For | ast.comprehension):
                target, iterable = ast.unparse(node.target), ast.unparse(node.iter)
                if is_over_time(target, iterable):
                    found.append(f"{name(path)}: for {target} in {iterable}")
    assert not found, found


def test_the_loop_detector_works() -> None:
    """A positive control."""
    for target, iterable in (("t", "range(T)"), ("x_t", "x"), ("i", "range(x.shape[0])")):
        assert is_over_time(target, iterable)
    for target, iterable in (("layer", "self.layers"), ("name", "weights"), ("l", "range(L)")):
        assert not is_over_time(target, iterable)


def opens_for_writing(node: ast.AST) -> bool:
    """Whether a call can create or change a file."""
    if not isinstance(node, ast.Call):
        return False
    function = ast.unparse(node.func)
    last = function.split(".")[-1]
    if last in (
        "write_text",
        "write_bytes",
        "savefig",
        "tofile",
        "save",
        "savez",
        "savetxt",
        "save_file",
        "dump",
    ):
        return last != "save" or function.startswith(("np.", "numpy."))
    if function in (
        "os.open",
        "os.replace",
        "os.rename",
        "os.fdopen",
        "os.truncate",
        "os.ftruncate",
        "tempfile.NamedTemporaryFile",
        "tempfile.mkstemp",
        "shutil.copyfile",
        "shutil.copy2",
        "shutil.copy",
        "shutil.move",
    ):
        return True
    if last not in ("open", "memmap"):
        return False
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    modes = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    return any(re.fullmatch(r"[rwaxbt+]*[wax+][rwaxbt+]*", mode) for mode in modes)


def test_files_are_written_in_one_place() -> None:
    found = [
        f"{name(path)}:{node.lineno}"  # type: ignore[attr-defined]
        for path in python_of_the_package()
        if name(path) not in WRITERS
        for node in ast.walk(ast.parse(path.read_text()))
        if opens_for_writing(node)
    ]
    assert not found, found


def test_the_write_detector_works() -> None:
    """A positive control."""
    for code in (
        "open(p, 'w')",
        "p.open(mode='ab')",
        "os.replace(a, b)",
        "p.write_text('x')",
        "np.memmap(p, mode='r+')",
        "tempfile.mkstemp()",
    ):
        assert any(opens_for_writing(node) for node in ast.walk(ast.parse(code))), code
    for code in ("open(p)", "open(p, 'rb')", "p.read_text()", "tape.open(cell)", "model.save(p)"):
        assert not any(opens_for_writing(node) for node in ast.walk(ast.parse(code))), code
