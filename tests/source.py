"""Reading the project's own source: files, functions and their lengths, includes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
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


def cpp_functions(text: str) -> Iterator[tuple[str, int]]:
    """(heading, number of lines) of every function body in C++ source, lambdas inside included.

    A brace opens a function when what stands before it, back to the last `;`, `{` or `}`, has
    parentheses and is no control statement, type, namespace or initialiser.
    """
    text = without_comments(text)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", _blank_lines, text, flags=re.MULTILINE)
    stack: list[tuple[str, int] | None] = []
    start, inside = 0, 0
    for index, character in enumerate(text):
        if character == "{":
            heading = text[start:index].strip()
            is_function = not inside and _opens_function(heading)
            begin = text.index(heading, start) if heading else index
            stack.append((heading, begin) if is_function else None)
            inside += is_function
        elif character == "}" and stack:
            opened = stack.pop()
            if opened is not None:
                inside -= 1
                yield opened[0], text.count("\n", opened[1], index) + 1
        if character in "{};" and not (
            character == ";" and _inside_parentheses(text, start, index)
        ):
            start = index + 1


def _blank_lines(match: re.Match[str]) -> str:
    return "\n" * match.group().count("\n")


def _inside_parentheses(text: str, start: int, end: int) -> bool:
    return text.count("(", start, end) > text.count(")", start, end)


def _opens_function(heading: str) -> bool:
    if "(" not in heading or heading.endswith(("=", ",", "(", "return")):
        return False
    first = re.match(r"\w*", heading)
    words = ("if", "for", "while", "switch", "do", "else", "catch", "namespace", "enum", "try")
    if first and first.group() in words:
        return False
    plain = re.sub(r"__attribute__\(\(.*?\)\)|alignas\(.*?\)|template\s*<[^{]*?>\s*", "", heading)
    return not re.match(r"(?:inline\s+|static\s+)*(struct|class|union|extern\s*$)\b", plain.strip())


def python_functions(text: str) -> Iterator[tuple[str, int]]:
    """(name, number of lines without decorators and docstring) of every function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            if documented:
                assert first.end_lineno is not None
                lines -= first.end_lineno - first.lineno + 1
            yield node.name, lines


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
