"""Look into a finished wheel: its size, files and bill of materials, and how its module was linked.

Usage: python tools/check_wheel.py WHEEL. Prints what it found; exit code 1 names what is wrong.
"""

import io
import json
import re
import sys
import zipfile
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

MAX_BYTES = 3 * 2**20
ALLOWED = (".py", ".pyi", "py.typed", ".so")  # of the package itself


def dynamic_tags(elf: ELFFile) -> list[tuple[str, str]]:
    """Return the dynamic section as pairs of tag and value, names resolved."""
    found = []
    for part in elf.iter_sections():
        if isinstance(part, DynamicSection):
            for tag in part.iter_tags():
                name = tag.entry.d_tag
                value = getattr(tag, name[3:].lower(), None)
                found.append((name, str(value if value is not None else tag.entry.d_val)))
    return found


def symbols(elf: ELFFile, defined: bool) -> list[str]:
    """Return the names of the dynamic symbols that the module defines, or those that it needs."""
    table = elf.get_section_by_name(".dynsym")
    assert isinstance(table, SymbolTableSection)
    named = [symbol for symbol in table.iter_symbols() if symbol.name]
    return sorted(s.name for s in named if (s.entry.st_shndx != "SHN_UNDEF") == defined)


def check_module(content: bytes) -> list[str]:
    """Return what is wrong with the extension module: exports, hardening, search path."""
    elf = ELFFile(io.BytesIO(content))
    tags = dynamic_tags(elf)
    wrong = []
    exports = symbols(elf, defined=True)
    if exports != ["PyInit__core"]:
        wrong.append(f"exports {exports}, wanted PyInit__core alone")
    if "__stack_chk_fail" not in symbols(elf, defined=False):
        wrong.append("has no stack protector")
    flags = {name: int(value) for name, value in tags if name in ("DT_FLAGS", "DT_FLAGS_1")}
    if not flags.get("DT_FLAGS", 0) & 0x8 and not flags.get("DT_FLAGS_1", 0) & 0x1:
        wrong.append("is not linked with -z now")
    segments = {segment.header.p_type: segment for segment in elf.iter_segments()}
    if "PT_GNU_RELRO" not in segments:
        wrong.append("has no RELRO segment")
    stack = segments.get("PT_GNU_STACK")
    if stack is None or stack.header.p_flags & 0x1:
        wrong.append("has an executable stack")
    if any(name == "DT_TEXTREL" for name, _ in tags):
        wrong.append("has text relocations")
    paths = [value for name, value in tags if name in ("DT_RPATH", "DT_RUNPATH")]
    if any(path != "$ORIGIN/../fastrnn.libs" for path in paths):
        wrong.append(f"searches libraries in {paths}")
    if elf.get_section_by_name(".symtab") is not None:
        wrong.append("is not stripped")
    return wrong


def check_bill(archive: zipfile.ZipFile) -> list[str]:
    """Return what is wrong with the bills of materials: ours, and auditwheel's of its libraries."""
    wrong, known = [], set()
    names = [n for n in archive.namelist() if re.search(r"\.dist-info/sboms/.*\.json$", n)]
    for name in names:
        bill = json.loads(archive.read(name))
        if bill.get("bomFormat") != "CycloneDX" or "specVersion" not in bill:
            wrong.append(f"{name} is no CycloneDX")
        for component in bill.get("components", []):
            lacks = [key for key in ("type", "name", "version", "purl") if not component.get(key)]
            if lacks:
                wrong.append(f"{name}: {component.get('name')} lacks {lacks}")
            known.add(str(component.get("name")))
    if "pybind11" not in known:
        wrong.append("no bill of materials names pybind11, which is compiled in")
    for name in archive.namelist():
        library = re.match(r"fastrnn\.libs/(lib[a-z+]+)", name)
        if library and not any(component.startswith(library[1]) for component in known):
            wrong.append(f"{name} is in no bill of materials")
    return wrong


def check(wheel: Path) -> list[str]:
    """Return what is wrong with the wheel."""
    wrong = []
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size / 2**20:.2f} MiB")
    if size > MAX_BYTES:
        wrong.append(f"{size} bytes are more than {MAX_BYTES}")
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            print(f"{entry.file_size:>10}  {entry.filename}")
        names = [name for name in archive.namelist() if not name.endswith("/")]
        package = [name for name in names if name.startswith("fastrnn/")]
        wrong += [f"{n} does not belong there" for n in package if not n.endswith(ALLOWED)]
        wrong += [
            f"fastrnn/{n} is missing"
            for n in ("__init__.py", "_core.pyi", "py.typed")
            if f"fastrnn/{n}" not in names
        ]
        modules = [n for n in package if n.endswith(".so")]
        if len(modules) != 1:
            wrong.append(f"one extension module is wanted, found {modules}")
        for name in modules:
            wrong += [f"{name} {what}" for what in check_module(archive.read(name))]
        wrong += check_bill(archive)
    return wrong


if __name__ == "__main__":
    problems = [f"{path}: {what}" for path in sys.argv[1:] for what in check(Path(path))]
    sys.exit("\n".join(problems) or 0)
