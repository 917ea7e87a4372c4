"""Why: an interpreter that ends while daemon threads are inside a kernel aborted 115 of 120 times
with the plain guard of the GIL; and a second interpreter in one process shares static state.
Ending must be quiet, and a subinterpreter must be refused with ImportError.
"""

import pytest
from helpers.processes import output_of, run_python

DAEMONS = """
    import threading, time
    import numpy as np
    import fastrnn

    w = np.eye(64, dtype=np.float32)
    short, long = (np.ones((T, 4, 64), np.float32) for T in (3, 20000))
    started = threading.Barrier(4)
    def work(x, threads):
        started.wait()
        while True:
            fastrnn.rnn(x, w, w, num_threads=threads)
    for x, threads in ((short, 1), (short, 2), (long, 2)):
        threading.Thread(target=work, args=(x, threads), daemon=True).start()
    started.wait()
    time.sleep(0.05)
"""

SUBINTERPRETER = """
    import os, sys
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    import numpy as np
    import fastrnn
    from fastrnn import _core

    def good():
        y, _ = fastrnn.rnn(np.ones((2, 1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
        return bool(np.allclose(y, np.tanh(1.0)))

    assert good()
    read, write = os.pipe()
    lines = [
        "import os, sys, warnings",
        "warnings.simplefilter('ignore')",
        f"sys.path[:0] = {sys.path!r}",
        "try:",
        "    import fastrnn._core",
        "except ImportError:",
        "    result = 'ImportError'",
        "except BaseException as error:",
        "    result = repr(error)",
        "else:",
        "    result = 'imported'",
        f"os.write({write}, result.encode())",
    ]
    made = interpreters.create()
    interpreters.run_string(made, chr(10).join(lines))
    interpreters.destroy(made)
    print(os.read(read, 1000).decode(), good())
"""


@pytest.mark.check(25, quick=5, full=100)
def test_exit_with_daemon_threads_inside_kernels(count: int) -> None:
    for _ in range(count):
        done = run_python(DAEMONS)
        assert done.returncode == 0, f"{done.returncode}\n{done.stderr}"
        assert not done.stderr, done.stderr


@pytest.mark.check(25)
def test_exit_after_an_interrupt_inside_a_thread_pool() -> None:
    code = """
        from concurrent.futures import ThreadPoolExecutor
        import numpy as np
        import fastrnn
        w = np.eye(8, dtype=np.float32)
        with ThreadPoolExecutor(4) as pool:
            x = np.ones((9, 2, 8), np.float32)
            made = [pool.submit(fastrnn.rnn, x, w, w) for _ in range(99)]
            print(sum(m.result()[0].shape == (9, 2, 8) for m in made))
        raise SystemExit(7)
    """
    done = run_python(code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (7, "99", "")


@pytest.mark.check(25)
def test_subinterpreter_is_refused_cleanly() -> None:
    pytest.importorskip("_interpreters" if _has("_interpreters") else "_xxsubinterpreters")
    assert output_of(SUBINTERPRETER) == "ImportError True"


def _has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def test_the_module_can_be_imported_twice() -> None:
    """A module removed from sys.modules and imported again keeps working, or says no."""
    code = """
        import sys
        import numpy as np
        import fastrnn
        for name in [n for n in sys.modules if n.startswith("fastrnn")]:
            del sys.modules[name]
        try:
            import fastrnn as again
        except ImportError:
            print("refused")
        else:
            y, _ = again.rnn(np.ones((2, 1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
            print("works" if np.allclose(y, np.tanh(1.0)) else "wrong")
    """
    assert output_of(code) in ("works", "refused")
