"""Why: switches that leak between threads, or out of a with block, make results that nobody can
repeat. And what a program sees of the package at first sight: its names, its version, its config.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.processes import TIMEOUT

import fastrnn
from fastrnn import runtime
from fastrnn.reference import _layer

SOURCE = Path(fastrnn.__file__).parents[1]


def fresh(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with this package."""
    env = os.environ | {"PYTHONPATH": str(SOURCE)} | environment
    return subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )


def in_another_thread(function: Any) -> Any:
    """What a function returns when a new thread runs it."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_threads_for_a_block_a_thread_and_the_process() -> None:
    before = fastrnn.get_num_threads()
    assert before >= 1
    with fastrnn.threads(3):
        assert fastrnn.get_num_threads() == 3
        assert in_another_thread(fastrnn.get_num_threads) == before
        with fastrnn.threads(1):
            assert fastrnn.get_num_threads() == 1
        assert fastrnn.get_num_threads() == 3
    assert fastrnn.get_num_threads() == before
    with pytest.raises(RuntimeError, match="out"), fastrnn.threads(2):
        raise RuntimeError("out")
    assert fastrnn.get_num_threads() == before
    try:
        fastrnn.set_num_threads(5)
        assert fastrnn.get_num_threads() == 5
        assert in_another_thread(fastrnn.get_num_threads) == 5
    finally:
        fastrnn.set_num_threads(before)


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1, ValueError), (1025, ValueError), (2**70, ValueError),
     (1.5, TypeError), ("2", TypeError), (True, TypeError), (None, TypeError)],
)  # fmt: skip
def test_wrong_thread_counts(value: Any, error: Any) -> None:
    with pytest.raises(error, match="num_threads must be"):
        fastrnn.set_num_threads(value)
    with pytest.raises(error, match="num_threads must be"), fastrnn.threads(value):
        pass


def test_the_environment_sets_threads() -> None:
    code = "import fastrnn; print(fastrnn.get_num_threads())"
    assert fresh(code, FASTRNN_NUM_THREADS="1").stdout == "1\n"


def test_the_block_reaches_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    core = fastrnn._core.rnn_forward

    def spy(*args: Any) -> Any:
        seen.append(args[14])
        return core(*args)

    monkeypatch.setattr(fastrnn._core, "rnn_forward", spy)
    x, w = np.ones((3, 2, 1)), np.ones((1, 1))
    layer = fastrnn.RNN(1, 1, dtype=np.float64)
    fastrnn.rnn(x, w, w)
    fastrnn.rnn(x, w, w, num_threads=np.int64(4))
    with fastrnn.threads(2):
        fastrnn.rnn(x, w, w)
        fastrnn.rnn(x, w, w, num_threads=4)
        fastrnn.rnn_cell(x[0], None, w, w)
        layer(x)
        layer.forward(x)
        layer.stream(2).run(x)
        stream = layer.stream(2)
        run = stream._run
        stream._run = lambda x, y, n: (seen.append(n), run(x, y, n))
        stream.step(x[0])
    assert seen == [0, 4, 2, 4, 2, 2, 2, 2, 2]


def test_backward_uses_the_threads_of_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    core = fastrnn._core.rnn_backward

    def spy(*args: Any) -> Any:
        seen.append(args[12])
        return core(*args)

    monkeypatch.setattr(fastrnn._core, "rnn_backward", spy)
    x, w = np.ones((3, 2, 1)), np.ones((1, 1))
    tape = fastrnn.rnn_forward(x, w, w, num_threads=3)[2]
    fastrnn.rnn_backward(tape)
    assert seen == [3]


def test_backend_for_a_block_and_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(_layer, "forward", lambda *_, **__: calls.append("twin") or 1 / 0)
    x, w = np.ones((3, 2, 1)), np.ones((1, 1))

    def run() -> Any:
        return fastrnn.rnn(x, w, w)[0].shape

    with fastrnn.use_backend("reference"):
        with pytest.raises(ZeroDivisionError):
            run()
        assert in_another_thread(run) == (3, 2, 1)
        with fastrnn.use_backend("core"):
            assert run() == (3, 2, 1)
        assert runtime.backend.get() == "reference"
    assert run() == (3, 2, 1)
    assert calls == ["twin"]
    with pytest.raises(
        ValueError, match=r"name must be one of \('core', 'reference'\), got 'numpy'"
    ):
        fastrnn.use_backend("numpy").__enter__()


def test_isa_names() -> None:
    before = fastrnn.isa()
    assert before in fastrnn.available_isas()
    try:
        for name in fastrnn.available_isas():
            fastrnn.set_isa(name)
            assert fastrnn.isa() == name
    finally:
        fastrnn.set_isa(before)
    with pytest.raises(ValueError, match=r"name must be one of \['baseline'.*got 'sse9'"):
        fastrnn.set_isa("sse9")
    with pytest.raises(TypeError, match="name must be a string, got int"):
        fastrnn.set_isa(2)
    assert fastrnn.isa() == before
    assert (
        fresh("import fastrnn; print(fastrnn.isa())", FASTRNN_ISA="baseline").stdout == "baseline\n"
    )
    wrong = fresh("import fastrnn", FASTRNN_ISA="sse9")
    assert wrong.returncode == 1
    assert "sse9" in wrong.stderr
    assert "baseline" in wrong.stderr


def test_debug_from_the_environment() -> None:
    code = "from fastrnn import runtime; print(runtime.debug())"
    assert fresh(code, FASTRNN_DEBUG="1").stdout == "True\n"
    assert fresh(code, FASTRNN_DEBUG="0").stdout == "False\n"
    assert fresh(code, FASTRNN_DEBUG="").stdout == "False\n"
    with pytest.raises(TypeError, match="on must be True or False"):
        fastrnn.set_debug(1)


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    fastrnn.show_config()
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["fastrnn"] == fastrnn.__version__ == "0.1.0"
    assert lines["numpy"] == np.__version__
    assert lines["isa"] == fastrnn.isa()
    used = {lines["int8"], lines["bfloat16"]}
    assert used <= {
        "widened, without dot products", "AVX-VNNI", "AVX-512 VNNI", "AVX-512 BF16", "AMX",
        "DotProd", "BF16",
    }  # fmt: skip
    assert {"python", "compiler", "flags", "threading", "threads", "backend"} <= set(lines)


def test_every_public_name_is_there() -> None:
    for name in fastrnn.__all__:
        assert getattr(fastrnn, name) is not None
    package = Path(fastrnn.__file__).parent
    folders = {path.parent.name for path in package.glob("[a-z]*/__init__.py")}
    assert {*fastrnn.__all__, *folders} - {"cli", "examples"} <= {*dir(fastrnn)}
    code = "import fastrnn; print(fastrnn.metrics.__name__, fastrnn.plot.__name__)"
    assert fresh(code).stdout == "fastrnn.metrics fastrnn.plot\n"  # this one has imported them
    for name in fastrnn.functional.__all__:
        assert getattr(fastrnn, name) is getattr(fastrnn.functional, name)
    with pytest.raises(AttributeError, match="module 'fastrnn' has no attribute 'lstmm'"):
        _ = fastrnn.lstmm


def test_what_is_not_needed_is_not_loaded() -> None:
    code = """
import sys, fastrnn
loaded = [name for name in sys.modules if name.startswith("fastrnn.")]
assert not any(name in loaded for name in ("fastrnn.reference", "fastrnn.testing")), loaded
assert "numpy.random" not in sys.modules
fastrnn.reference.rnn
assert "fastrnn.reference" in sys.modules
"""
    done = fresh(code)
    assert done.returncode == 0, done.stderr


def test_the_default_of_dtype_is_float32() -> None:
    assert fastrnn.LSTM(2, 2).params["weight_ih_l0"].dtype == np.float32
