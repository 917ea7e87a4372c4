"""Why: rules that nobody checks are wishes. The ten rules of the house, as far as a program can
read them: layers and choke points, names, build flags, and what an import costs.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import source
from helpers.processes import output_of
from helpers.source import CORE, CPP, PACKAGE, ROOT, cpp_files, files, hits, name, per_isa_files
from helpers.tolerances import IMPORT_SECONDS

pytestmark = pytest.mark.skipif(not CORE.is_dir(), reason="the source tree is not here")


def outside(paths: list[Path], *allowed: str) -> list[Path]:
    """The paths that are not among the allowed ones (files, or folders ending in a slash)."""
    return [p for p in paths if not any(f"{name(p)}".startswith(a) for a in allowed)]


def test_the_root_holds_what_a_newcomer_looks_for() -> None:
    """A file that a program left there by mistake would stand before everything else."""
    command = ["git", "ls-files", ":(glob)*"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    here = tracked.stdout.splitlines() or [p.name for p in ROOT.iterdir() if p.is_file()]
    assert {name for name in here if not name.startswith(".")} == {
        "CHANGELOG.md", "CMakeLists.txt", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
        "SECURITY.md", "pyproject.toml",
    }  # fmt: skip


def test_rule_1_the_core_knows_no_python() -> None:
    assert not hits(
        cpp_files(CORE), r"#\s*include\s*[<\"](Python\.h|pybind11|numpy)", code_only=False
    )
    assert not hits(cpp_files(CORE), r"\bpy::|\bPyObject\b|\bpybind11::")


def test_rule_1_bindings_hold_no_loop_over_data() -> None:
    """Loops there run over axes and names, never over the elements of an array."""
    loops = r"\b(for|while)\s*\([^;)]*;[^;]*(\bsize\(\)|\bshape\b|\bnbytes\b|\bdims\b|\b[TNIH]\b)"
    assert not hits(cpp_files(CPP / "bindings"), loops)


def test_rule_2_openmp_in_one_file() -> None:
    others = outside(cpp_files(), "cpp/fastrnn/team/launch.cpp")
    assert not hits(others, r"#\s*include\s*<omp\.h>|#\s*pragma\s+omp|\bomp_\w+\(", code_only=False)


def test_rule_2_intrinsics_in_one_folder() -> None:
    """Mode word, feature flags and the pause of a spin loop are no vector code."""
    allowed = ("cpp/fastrnn/simd/", "cpp/fastrnn/team/fp_mode.h", "cpp/fastrnn/cpu.cpp")
    allowed += ("bench/native/",)
    others = outside(cpp_files(), *allowed)
    assert not hits(
        others, r"immintrin|arm_neon|x86intrin|\b_mm\d*_|\b_mm_|__m(128|256|512)|ia32_(?!pause)"
    )


@pytest.mark.check(26)
def test_rule_3_files_per_isa_use_no_stl() -> None:
    free = {"<cstddef>", "<cstdint>", "<cstring>", "<immintrin.h>", "<arm_neon.h>"}
    for path in per_isa_files():
        foreign = {i for i in source.includes(path) if i.startswith("<")} - free
        assert not foreign, f"{name(path)} includes {foreign}"
    words = r"\bstd::(?!size_t|ptrdiff_t|u?int\d+_t|memcpy|memset|move|forward|remove_\w+)\w+"
    assert not hits(per_isa_files(), words)


def test_rule_3_what_files_per_isa_reach_defines_no_inline_containers() -> None:
    """A container reached through any header could be instantiated with an ISA's flags."""
    containers = {"vector", "string", "algorithm", "functional", "map", "unordered_map", "iostream"}
    containers |= {"optional", "array", "deque", "thread", "mutex", "memory", "numeric"}
    for start in per_isa_files():
        seen, todo = set(), [start]
        while todo:
            path = todo.pop()
            seen.add(path)
            for include in source.includes(path):
                assert include.strip("<>") not in containers, (
                    f"{name(start)} → {name(path)} {include}"
                )
                below = CPP / include.strip('"')
                if include.startswith('"') and below.is_file() and below not in seen:
                    todo.append(below)


@pytest.mark.check(26)
def test_rule_3_no_weak_symbol_in_an_isa_object() -> None:
    """The linker may keep a weak symbol compiled for AVX-512 for everybody."""
    objects = [
        path
        for path in ROOT.glob("build/**/fastrnn/isa/*.o")
        if not {"asan", "tsan", "aarch64"} & set(path.parts)
    ]
    if not objects or shutil.which("nm") is None:
        pytest.skip("no build tree here, or no nm")
    for path in objects:
        done = subprocess.run(["nm", "-C", str(path)], capture_output=True, text=True, check=True)
        lines = [line for line in done.stdout.splitlines() if re.search(r" [VvWwu] ", line)]
        weak = [line for line in lines if "DW.ref." not in line and " w __" not in line]
        assert not weak, f"{name(path)}: {weak[:3]}"


def test_no_cycle_among_headers_and_their_sources() -> None:
    """What a header and its source need together never needs them: files are read in one order."""
    needs: dict[str, set[str]] = {}
    for path in cpp_files(CORE):
        unit = path.relative_to(CPP).with_suffix("").as_posix()
        included = [include.strip('"') for include in source.includes(path) if include[0] == '"']
        needs.setdefault(unit, set()).update(i.rsplit(".", 1)[0] for i in included)
    for unit, others in needs.items():
        others.discard(unit)
    while needs:
        free = [unit for unit, others in needs.items() if not others & needs.keys()]
        assert free, f"a cycle among {sorted(needs)}"
        for unit in free:
            del needs[unit]


@pytest.mark.parametrize("path", [*cpp_files(), *source.python_files()], ids=name)
def test_rule_4_line_one_says_the_idea(path: Path) -> None:
    text = path.read_text()
    if path.suffix in (".h", ".cpp"):
        assert re.match(r"// \S.{15,}", text), text[:60]
    elif text.strip():
        first = ast.get_docstring(ast.parse(text))
        assert first, "no docstring"
        assert len(first.splitlines()[0]) > 15


def test_rule_6_the_core_never_converts() -> None:
    assert not hits(cpp_files(), r"\barray_t\s*<|forcecast|\.attr\(\"astype\"\)")
    others = outside(cpp_files(CPP / "bindings"), "cpp/bindings/arrays.h")
    assert not hits(others, r"\.data\s*\(|mutable_data|buffer_info|\.request\s*\(")


# The synonyms that other libraries use for what the glossary names once.
SYNONYMS = r"""(?x)\b(
    hidden_dim | num_hidden | n_hidden | hidden_units | num_units | n_units | input_dim
  | seq_len | seq_length | seqlen | sequence_lengths? | timesteps? | time_steps? | n_steps | max_len
  | num_layer | n_layers | nlayers | n_threads | nthreads | num_thread | batchsize | bsz
  | hx | cx | init_state | initial_state | initial_h | hidden_state | cell_state_n
  | [wW]_?x | [wW]_?h | W_ih | W_hh | w_xh | w_hx | kernel_weights | recurrent_kernel
  | grad_(x|y|h|c|inputs?|outputs?|weights?|bias) | (input|output|weight|bias)_grad | d_[xyhc]
)\b"""


def test_rule_8_one_name_per_quantity() -> None:
    """In identifiers of core and package; prose and other libraries' names may differ."""
    code = [*cpp_files(CORE), *cpp_files(CPP / "bindings")]
    assert not hits(code, SYNONYMS)
    found = []
    for path in files(PACKAGE, ".py", ".pyi"):
        for node in ast.walk(ast.parse(path.read_text())):
            word = node.arg if isinstance(node, ast.arg) else getattr(node, "id", "")
            theirs = (path.parent.name, word) in {("torch", "hx"), ("sklearn", "n_threads")}
            if isinstance(word, str) and re.fullmatch(SYNONYMS, word) and not theirs:
                found.append(f"{name(path)}:{node.lineno}: {word}")  # type: ignore[attr-defined]
    assert not found, found


# Names of these words do not say what a thing is; targets, outputs, context, latent, results do.
VAGUE = r"talk|talks|talking|hear|hears|heard|said|say|says|saying|told|tell"
VAGUE += "|found|codes|chance|looks"
KEPT = {"hear", "said"}  # `Conversation.hear`; the key `said` of config files


def test_names_are_terms_of_the_field() -> None:
    vague = []
    for path in files(PACKAGE, ".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                word = node.name
            elif isinstance(node, ast.arg):
                word = node.arg
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                word = node.id
            else:
                continue
            parts = re.findall(r"[A-Za-z][a-z]*", word)
            if word not in KEPT and any(re.fullmatch(VAGUE, part.lower()) for part in parts):
                vague.append(f"{name(path)}:{node.lineno}: {word}")
    assert not vague, vague


def test_layers_use_io_and_io_does_not_import_layers() -> None:
    """Loaders are handed the class that they make, so that there is no circle of imports."""
    assert not hits(files(PACKAGE / "io", ".py"), r"^(from|import) fastrnn\.recurrent")


# Imports inside functions that close a circle, and why they may: nothing is loaded by them before
# it is asked for.
CLOSING = {
    ("fastrnn.recurrent", "fastrnn.io.onnx"),  # io.onnx makes layers of a file's nodes
    ("fastrnn.data.vocabulary", "fastrnn.data.bpe"),  # `load` gives the class that the file names
}


def imports_of_the_package(*when: str) -> dict[str, set[str]]:
    """Which modules of the package each imports at these times."""
    paths = {}
    for path in files(PACKAGE, ".py", ".pyi"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        paths[".".join(parts).removesuffix(".__init__")] = path
    return {
        module: {
            name if name in paths else name.rpartition(".")[0]
            for moment, name in source.python_imports(path)
            if moment in when and name.startswith("fastrnn")
        }
        - {module}
        for module, path in paths.items()
    }


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a graph on a circle, or on the way from one circle to another; or none."""
    left, idle = dict(graph), {""}
    while idle:  # what imports nothing of the rest, or is imported by none of it, is on no circle
        imported = set().union(*left.values())
        idle = {module for module, others in left.items() if not others or module not in imported}
        left = {module: others - idle for module, others in left.items() if module not in idle}
    return sorted(left)


def test_no_circle_of_imports_when_modules_load() -> None:
    """Imports for the type checker alone are left out: they never run."""
    assert not circle(imports_of_the_package("load"))


def test_imports_inside_functions_close_no_other_circle() -> None:
    graph = imports_of_the_package("load", "call")
    assert all(other in graph[module] for module, other in CLOSING)
    assert circle(graph)  # the known ones are seen
    for module, other in CLOSING:
        graph[module].remove(other)
    assert not circle(graph)


def test_a_circle_is_seen() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}
    assert circle(graph) == ["b", "c"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


# What a twin is of: options, rules, names and shapes.
SPECS = {"fastrnn.cells", "fastrnn._decoder"}


def test_twins_need_nothing_of_what_they_specify() -> None:
    for module, others in imports_of_the_package("load", "call").items():
        if module.startswith("fastrnn.reference"):
            foreign = {other for other in others - SPECS if "fastrnn.reference" not in other}
            assert not foreign, f"{module} imports {foreign}"


def test_the_product_reaches_the_twins_through_one_door() -> None:
    """`_call.twins`, asked where the backend is chosen; nothing else is borrowed from them."""
    for module, others in imports_of_the_package("load", "call", "types").items():
        if not module.startswith("fastrnn.reference"):
            borrowed = {other for other in others if other.startswith("fastrnn.reference")}
            assert not borrowed, f"{module} imports {borrowed}"
    doors = hits(files(PACKAGE, ".py"), r"import_module\(f?[\"']fastrnn\.reference")
    assert [door.split(":")[0] for door in doors] == ["python/fastrnn/_call.py"]


def build_files() -> list[Path]:
    """Everything that can carry a compiler flag."""
    named = [ROOT / n for n in ("CMakeLists.txt", "pyproject.toml", "Makefile", ".ci/run")]
    below = [*CPP.rglob("CMakeLists.txt"), *CPP.rglob("*.cmake")]
    return [path for path in [*named, *below] if path.is_file()]


def test_rule_9_no_flag_for_this_machine_or_for_fast_math() -> None:
    assert len(build_files()) >= 4
    bad = (
        r"-march=native|-mcpu|-mtune|-ffast-math|-Ofast|-funsafe-math|/fp:fast"
        r"|-ffp-contract=(fast|on)|nodlopen"
    )
    assert not [hit for hit in hits(build_files(), bad) if "Never" not in hit]
    flags = hits(build_files(), r"-m(avx|fma|sse|f16c|arch)")
    assert not [hit for hit in flags if "fastrnn_add_" not in hit]


def test_rule_10_builds_download_nothing() -> None:
    words = r"FetchContent|ExternalProject|file\s*\(\s*DOWNLOAD|\bcurl\b|\bwget\b|git clone"
    assert not hits([p for p in build_files() if p.name != "run"], words)


def test_rule_10_importing_loads_numpy_alone() -> None:
    code = """
        import sys
        before = set(sys.modules)
        import fastrnn
        print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
    """
    loaded = set(output_of(code).split())
    foreign = loaded - set(sys.stdlib_module_names) - {"numpy", "fastrnn"}
    foreign = {module for module in foreign if not module.startswith(("_fastrnn", "__editable"))}
    assert not foreign, f"import fastrnn loads {foreign}"


def test_rule_10_importing_is_quick() -> None:
    code = """
        import time
        first = time.process_time()
        import numpy
        second = time.process_time()
        import fastrnn
        print(second - first, time.process_time() - second)
    """
    seconds = np.array([output_of(code).split() for _ in range(5)], float)
    theirs, ours = seconds.min(axis=0)
    assert ours < max(IMPORT_SECONDS, theirs), seconds  # a slow machine is slow with NumPy, too


# A test that waits a moment and hopes guesses how fast the machine is. These wait for what they
# then look at, or want a moment at random.
SLEEPS = {
    "tests/helpers/processes.py", "tests/helpers/kills.py", "tests/distributed/test_mpi.py",
    "tests/concurrency/test_exit.py", "tests/concurrency/test_fork.py",
    "tests/concurrency/test_team_size.py",
}  # fmt: skip


def test_no_test_passes_by_luck_clock_or_load() -> None:
    own = {"test_house.py", "test_luck.py"}  # which name it, and which prove that it is seeded
    paths = [p for p in files(ROOT / "tests", ".py") if p.name not in own]
    assert not hits(paths, r"default_rng\(\)|\bRandom\(\)|RandomState\(\)", code_only=False)
    clocks = r"assert .*\b(perf_counter|monotonic|time)\(\)(?!.*(TIMEOUT|SOON|deadline))"
    assert not hits(paths, clocks, code_only=False)
    # A limit is TIMEOUT of tests/helpers/processes.py, or a long one.
    assert not hits(paths, r"timeout=(\d{1,2}|[12]\d\d)(?!\d)", code_only=False)
    assert {name(p) for p in paths if re.search(r"\bsleep\(", p.read_text())} <= SLEEPS
