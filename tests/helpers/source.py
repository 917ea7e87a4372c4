"""Reading the project's own source: files, includes, imports."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CPP = ROOT / "cpp"
CORE = CPP / "fastrnn"
PACKAGE = ROOT / "python" / "fastrnn"
PER_ISA = ("simd", "cells", "kernels", "isa")
SKIPPED = {"build", ".venv", ".git", "__pycache__"}


def files(top: Path, *suffixes: str) -> list[Path]:
    """The files under a folder with these suffixes, build products left out."""
    return sorted(
        path
        for path in top.rglob("*")
        if path.suffix in suffixes and path.is_file() and not SKIPPED & set(path.parts)
    )


def python_files() -> list[Path]:
    """All Python of the project."""
    tops = ("python", "tests", "bench", "docs", "examples", "tools")
    return [path for top in tops for path in files(ROOT / top, ".py", ".pyi")]


def cpp_files(top: Path = CPP) -> list[Path]:
    """All C++ of the project, or of one of its folders."""
    found = files(top, ".h", ".cpp")
    return found if top != CPP else found + files(ROOT / "bench", ".h", ".cpp")


def per_isa_files() -> list[Path]:
    """The files that are compiled once per instruction set."""
    return [path for folder in PER_ISA for path in cpp_files(CORE / folder)]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def without_comments(text: str) -> str:
    """C++ with comments, strings and characters blanked; lines keep their numbers."""
    pattern = r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'"

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group())

    # A digit separator (1'000) is no character constant.
    text = re.sub(r"(?<=\d)'(?=\d)", "_", text)
    return re.sub(pattern, blank, text, flags=re.DOTALL)


def includes(path: Path) -> list[str]:
    """What a C++ file includes, with its brackets."""
    return re.findall(r"^\s*#\s*include\s*([<\"][^>\"]+[>\"])", path.read_text(), re.MULTILINE)


def hits(paths: list[Path], pattern: str, *, code_only: bool = True) -> list[str]:
    """file:line: text of every line that matches; comments of C++ do not count if `code_only`."""
    found = []
    for path in paths:
        text = path.read_text()
        seen = without_comments(text) if code_only and path.suffix in (".h", ".cpp") else text
        lines = text.splitlines()
        for number, line in enumerate(seen.splitlines()):
            if re.search(pattern, line):
                found.append(f"{name(path)}:{number + 1}: {lines[number].strip()}")
    return found


def python_imports(path: Path) -> set[tuple[str, str]]:
    """What a Python file imports, each with when: "load", "call" (inside a function) or "types".

    A name of a module comes with that module in front (``from fastrnn import data``: fastrnn.data);
    whether it is a module or something else in it, the caller knows.
    """
    seen: set[tuple[str, str]] = set()

    def visit(node: ast.AST, when: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                seen.update((when, alias.name) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                seen.update((when, f"{child.module}.{alias.name}") for alias in child.names)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                visit(child, "call")
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                visit(child, "types")
            else:
                visit(child, when)

    visit(ast.parse(path.read_text()), "load")
    return seen
