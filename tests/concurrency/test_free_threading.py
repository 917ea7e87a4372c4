"""Why: an extension that does not say that it needs no GIL switches it on for the whole process. It
says so, and under a Python without one the GIL stays off; the long tier runs the tests there.
"""

import sys
import sysconfig

import pytest
from helpers.source import CPP


@pytest.mark.check(24)
@pytest.mark.skipif(not CPP.is_dir(), reason="the source tree is not here")
def test_the_module_says_that_it_needs_no_gil() -> None:
    text = (CPP / "bindings" / "module.cpp").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("PYBIND11_MODULE(")]
    assert "py::mod_gil_not_used()" in line


@pytest.mark.check(24)
@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="a Python with a GIL")
def test_the_gil_stays_off() -> None:
    import fastrnn

    assert fastrnn.isa()
    assert not sys._is_gil_enabled()
