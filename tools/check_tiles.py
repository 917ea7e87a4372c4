"""Checks that the loops of the tile keep everything in registers: no stack access inside of them.

    python tools/check_tiles.py [MODULE]

Reads the machine code of the compiled module (default: the importable ``fastrnn._core``) with
objdump, or with what OBJDUMP names. A tile loop is a loop that multiplies vectors by a broadcast,
with no other jump inside: attention's loops over a few columns look at each load whether it is a
whole one. Loops of int8 and bfloat16 sum dot products, and write nothing at all: GCC has stored
every sum at every step. Of aarch64 it knows these alone.
"""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator

# Tile loops and those of dot products: fewer means that this script no longer finds them.
LEAST = {"x86-64": (30, 60), "aarch64": (0, 60)}
FMA = re.compile(r"vfmadd\d+p[sd]\s")
DOT = re.compile(r"vpdpbusd\s|vdpbf16ps\s|sdot\s|bfdot\s")
# An element of a row; what the cells broadcast are constants.
BROADCAST = re.compile(r"\(%\w+,%\w+,[48]\)(\{1to|,%[xyz]mm)")
# The frame pointer holds what it likes where there is no frame: a spill lies below it.
STACK = re.compile(r"\(%rsp|-0x[0-9a-f]+\(%rbp\)|\[sp\b")
STORE = re.compile(r"v?mov\w+\s+%[xyz]mm\d+,.*\(|st\w+\s")
LINE = re.compile(r"\s*([0-9a-f]+):\s+(\S.*)")
JUMP = re.compile(r"(?:j\w+|b(?:\.\w+)?|cbn?z\s+\w+,|tbn?z\s+\w+, #\d+,)\s+([0-9a-f]+)\b")


def instructions(module: str) -> tuple[str, list[tuple[int, str]]]:
    """The processor, and address and text of every instruction."""
    objdump = os.environ.get("OBJDUMP", "objdump")
    command = [objdump, "-d", "--no-show-raw-insn", "-j", ".text", module]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    matches = (LINE.match(line) for line in text.splitlines())
    code = [(int(match[1], 16), match[2]) for match in matches if match]
    processor = re.search("file format .*(x86-64|aarch64)", text)
    assert processor, f"{objdump} does not say which processor {module} is for"
    return processor[1], code


def innermost_loops(code: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Bodies of the loops that have no loop inside."""
    index = {address: i for i, (address, _) in enumerate(code)}
    latest = -1  # where the last loop began
    for i, (address, text) in enumerate(code):
        match = JUMP.match(text)
        begin = index.get(int(match[1], 16)) if match else None
        if begin is None or code[begin][0] >= address:
            continue
        if begin > latest:
            yield code[begin : i + 1]
        latest = max(latest, begin)


def main(arguments: list[str]) -> int:
    """Print the tile loops that touch the stack; exit with 1 if there are any, or no loops."""
    if arguments:
        module = arguments[0]
    else:
        spec = importlib.util.find_spec("fastrnn._core")
        if spec is None or spec.origin is None:
            print("check_tiles: fastrnn._core is not importable", file=sys.stderr)
            return 2
        module = spec.origin
    processor, code = instructions(module)
    least_loops, least_dots = LEAST[processor]
    loops = dots = spilling = 0
    for body in innermost_loops(code):
        text = [line for _, line in body]
        if sum(bool(JUMP.match(line)) for line in text) > 1:
            continue
        reads = [line for line in text if BROADCAST.search(line) and "broadcast" in line]
        sums = any(map(DOT.match, text))
        if not sums and not (reads and any(map(FMA.match, text))):
            continue
        loops, dots = loops + (not sums), dots + sums
        wrong = [
            f"  {address:x}: {line}"
            for address, line in body
            if STACK.search(line) or (sums and STORE.match(line))
        ]
        if wrong:
            spilling += 1
            print(f"the tile loop at {body[0][0]:x} leaves the registers:", *wrong, sep="\n")
    print(f"{module}: {loops} tile loops, {dots} of dot products, {spilling} leave the registers")
    return int(spilling > 0 or loops < least_loops or dots < least_dots)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
