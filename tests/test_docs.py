"""Documentation that nobody runs goes stale: every example runs here, every docstring is complete.

Shell blocks are held to what the Makefile offers, the README's example to examples/quickstart.py.
"""

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fastrnn
from fastrnn.cli.demos import NAMES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = DOCS / "made"  # pages that `make docs` writes
KEPT = [page for page in sorted(DOCS.rglob("*.md")) if MADE not in page.parents]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *KEPT]
README = (ROOT / "README.md").read_text("utf-8")
DOCTEST_OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.FAIL_FAST


def fences(text: str, language: str) -> list[str]:
    """The contents of a page's code blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def modules() -> list[str]:
    """Every module of the installed package."""
    found = pkgutil.walk_packages(fastrnn.__path__, prefix="fastrnn.")
    return ["fastrnn", *sorted(m.name for m in found if not m.name.endswith("__main__"))]


def run_doctest(test: doctest.DocTest) -> None:
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=DOCTEST_OPTIONS, verbose=False)
    runner.run(test, out=said.write)
    assert runner.failures == 0, said.getvalue()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # an example may write files


def test_readme_example_is_the_script_and_prints_what_it_says() -> None:
    (block,) = fences(README, "python")
    script = (ROOT / "examples" / "quickstart.py").read_text("utf-8")
    assert script.partition('"""\n\n')[2] == block
    lines = [line for line in block.splitlines() if line.strip()]
    assert len(lines) == 12
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "README.md", "exec"), {})
    promised = [line.partition("  # ")[2] for line in lines if line.startswith("print(")]
    assert printed.getvalue().splitlines() == promised


def test_the_example_of_the_front_page_learns() -> None:
    (block,) = fences((DOCS / "index.md").read_text("utf-8"), "python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "index.md", "exec"), {})
    assert printed.getvalue() == "True\n"


def test_every_page_has_its_place_in_the_table_of_contents() -> None:
    front = (DOCS / "index.md").read_text("utf-8")
    listed = set(re.findall(r"^([a-z_/0-9]+)$", front, re.MULTILINE))
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in KEPT} - {"index"}
    assert pages <= listed


def test_readme_names_two_commands_and_ci_runs_the_second() -> None:
    (block,) = fences(README, "sh")
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    assert commands == ["make demo", "make test"]
    assert re.search(r"^stage \w+ make test$", (ROOT / ".ci/run").read_text("utf-8"), re.MULTILINE)


def test_make_targets_in_the_pages_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    for page in PAGES:
        text = page.read_text("utf-8")
        code = " ".join([*re.findall(r"`[^`\n]+`", text), *fences(text, "sh")])
        named = set(re.findall(r"\bmake ([a-z0-9-]+)", code))
        assert named <= targets, f"{page.name} names targets that do not exist: {named - targets}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_links_lead_somewhere_and_examples_run(page: Path) -> None:
    text = page.read_text("utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"\$[^$]*\$|`[^`]*`", "", prose)):
        if not re.match(r"[a-z]+:|#", target):
            path = (page.parent / target.partition("#")[0]).resolve()
            made = MADE in path.parents and path.stem in {"index", "command_line", *NAMES}
            assert made or path.exists(), f"broken link to {target}"
    examples = "\n".join(fences(text, "pycon"))
    run_doctest(doctest.DocTestParser().get_doctest(examples, {}, str(page.name), str(page), 0))


def owned_doctests(module: ModuleType) -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    yield from (test for test in finder.find(module) if test.examples)


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "examples/toys").glob("[a-z]*.py")))
def test_examples_of_the_toy_data_run(name: str) -> None:
    tests = list(owned_doctests(importlib.import_module(f"toys.{name}")))
    assert tests or name == "tasks"
    for test in tests:
        run_doctest(test)


NEEDS_TORCH = {"fastrnn.torch", "fastrnn.torch._node"}


@pytest.mark.parametrize("name", modules())
def test_docstring_examples_run(name: str) -> None:
    if name in NEEDS_TORCH:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PyTorch warns about at import is not ours
            pytest.importorskip("torch")
    for test in owned_doctests(importlib.import_module(name)):
        run_doctest(test)


def public_callables() -> dict[str, Callable[..., Any]]:
    """Public functions and classes, and the public methods of the classes, by dotted name."""
    found: dict[str, Callable[..., Any]] = {}
    for name in fastrnn.__all__:
        thing = getattr(fastrnn, name)
        if inspect.ismodule(thing) or not callable(thing):
            continue
        found[name] = thing
        if inspect.isclass(thing):
            members = inspect.getmembers(thing, inspect.isfunction)
            found |= {f"{name}.{m}": f for m, f in members if not m.startswith("_")}
    return found


def section(doc: str, title: str) -> str | None:
    """The body of one numpydoc section."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)", doc, re.MULTILINE | re.DOTALL)
    return found and found[1]


PUBLIC = public_callables()


def test_public_names_were_found() -> None:
    assert {"lstm", "gru_backward", "LSTM", "GRU.stream", "set_isa"} <= set(PUBLIC)


MADE_BY_FORWARD = {"Tape", "LayerTape"}  # nobody calls these classes
EXAMPLES = " ".join(section(inspect.getdoc(p) or "", "Examples") or "" for p in PUBLIC.values())


def parameters_of(doc: str) -> str:
    """What a docstring says of its parameters, also by "`lstm`, with its arguments"."""
    other = re.search(r"`(\w+)`, with its arguments", doc)
    own = (section(doc, "Parameters") or "") + (section(doc, "Attributes") or "")
    return own + (parameters_of(inspect.getdoc(PUBLIC[other[1]]) or "") if other else "")


@pytest.mark.parametrize("name", [n for n in PUBLIC if n.partition(".")[0] not in MADE_BY_FORWARD])
def test_public_docstring_is_complete(name: str) -> None:
    thing = PUBLIC[name]
    doc = inspect.getdoc(thing)
    assert doc, "no docstring"
    signature = inspect.signature(thing)
    documented = parameters_of(doc)
    for parameter in signature.parameters.values():
        if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD:
            heading = rf"^[\w, *]*\b{parameter.name}\b[\w, *]*( :|$)"
            assert re.search(heading, documented, re.MULTILINE), f"{parameter.name} is missing"
    gives = inspect.isfunction(thing) and signature.return_annotation not in (None, "None")
    generator = "Iterator" in str(signature.return_annotation)
    assert not gives or generator or section(doc, "Returns"), "no Returns"
    shown = f".{name.partition('.')[2]}(" in EXAMPLES if "." in name else False
    assert shown or section(doc, "Examples"), "no example"


CELLS = [n for n in PUBLIC if re.fullmatch(r"(rnn|lstm|gru)(_cell|_forward|_backward)?|[A-Z]+", n)]


@pytest.mark.parametrize("name", CELLS)
def test_cell_docstring_gives_shapes_errors_and_source(name: str) -> None:
    thing = PUBLIC[name]
    doc = inspect.getdoc(thing) or ""
    call = inspect.getdoc(thing.__call__) or "" if inspect.isclass(thing) else ""
    assert re.search(r"\((?:[\w·]+, )*(H|G·H|4·H|3·H|D·H)[,)]|in the shape of", doc + call)
    assert section(doc, "Raises"), "no Raises"
    family = f"`{name.partition('_')[0]}`"  # gru_cell may leave the source to gru
    assert section(doc, "References") or family in doc, "no source"


def test_contributing_names_files_that_exist() -> None:
    """Its map sends people to files; NAME, FAMILY and * stand for many."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    names = set(re.findall(r"(?<![\w*/.-])[\w./-]+\.(?:cpp|h|pyi|py|md|toml|txt)\b", text))
    names = {name for name in names if "NAME" not in name and "FAMILY" not in name}
    names = {name for name in names if not name.startswith("build/")}  # made, not kept
    assert len(names) > 40, names
    tops = ("cpp", "python", "tests", "bench", "docs", "examples", "tools")
    there = {
        f"/{path.relative_to(ROOT).as_posix()}"
        for top in tops
        for path in (ROOT / top).rglob("*.*")
    }
    there |= {f"/{path.name}" for path in ROOT.glob("*.*")}
    lost = [name for name in sorted(names) if not any(path.endswith(f"/{name}") for path in there)]
    assert not lost, f"CONTRIBUTING.md names files that do not exist: {lost}"


def test_every_public_name_has_its_place_in_the_reference() -> None:
    pages = "\n".join(path.read_text("utf-8") for path in (ROOT / "docs/reference").glob("*.md"))
    package = Path(fastrnn.__file__).parent
    modules = {path.parent.name for path in package.glob("[a-z]*/__init__.py")} | {"init"}
    modules -= {"cli", "examples", "torch"}  # docs/howto has these
    listed = set(re.findall(r"currentmodule:: fastrnn\.(\w+)", pages))
    assert modules <= listed, f"no page for {modules - listed}"
    single = {n for n in fastrnn.__all__ if not inspect.ismodule(getattr(fastrnn, n))}
    shown = set(re.findall(r"^   (\w+)$", pages, re.MULTILINE))
    assert single <= shown, f"not in the reference: {single - shown}"
    for name in modules - {"init"}:  # and every name that a module says it has, but for constants
        module = importlib.import_module(f"fastrnn.{name}")
        things = [getattr(module, n) for n in module.__all__]
        names = {thing.__name__ for thing in things if callable(thing)}
        assert names <= shown, f"not in the reference of fastrnn.{name}: {names - shown}"
