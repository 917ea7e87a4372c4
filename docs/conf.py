"""Sphinx: MyST pages beside the code, a page for each public object, every warning an error.

Nothing is fetched while pages are built or read: formulas are drawn by a MathJax that lies beside
them, and where NumPy and PyTorch describe their objects is written down here. `gallery.py` beside
this file makes the pages of the examples, and that of the command line.
"""

import re
import sys
import tomllib
import zlib
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

metadata = tomllib.loads(HERE.parent.joinpath("pyproject.toml").read_text("utf-8"))
project = "fastrnn"
author = "fastrnn developers"
copyright = f"2026, {author}"
version = release = metadata["project"]["version"]

extensions = [
    "gallery",
    "myst_parser",
    "sphinx-mathjax-offline",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
templates_path = ["_templates"]
suppress_warnings = [
    "myst.xref_missing",  # links to files of the repository outside of docs/
    "ref.python",  # a word of a type, which is prose, that two classes have as an attribute
]

autodoc_typehints = "none"  # the docstrings say shapes, which the hints cannot
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", r".*"),  # in a parameter line a type is prose: (T, N, I)
    ("py:exc", r"sklearn\..*"),
]

# Objects of other libraries that docstrings name, by the page that describes them.
ELSEWHERE = {
    "numpy": (
        "https://numpy.org/doc/stable/",
        {
            "numpy.ndarray": "reference/generated/numpy.ndarray.html",
            "numpy.random.Generator": "reference/random/generator.html",
            "numpy.random.default_rng": "reference/random/generator.html",
        },
    ),
    "torch": (
        "https://docs.pytorch.org/docs/stable/",
        {
            f"torch.nn.{name}": f"generated/torch.nn.{name}.html"
            for name in ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")
        },
    ),
}


def inventory(name: str, pages: dict[str, str]) -> str:
    """Write down where objects are described, as Sphinx reads it; return the file."""
    path = HERE.parent / "build" / f"{name}.inv"
    path.parent.mkdir(exist_ok=True)
    lines = "".join(f"{thing} py:class 1 {page} -\n" for thing, page in pages.items())
    head = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    path.write_bytes(head.encode() + zlib.compress(lines.encode()))
    return str(path)


intersphinx_mapping = {
    name: (site, inventory(name, pages)) for name, (site, pages) in ELSEWHERE.items()
}

html_theme = "furo"
html_title = f"fastrnn {release}"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["pages.css"]


def with_plain_defaults(sphinx, what, name, thing, options, signature, returns):  # noqa: ARG001
    """Write `float32` for a default that Python prints as ``<class 'numpy.float32'>``."""
    return re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", signature or "") or None, returns


def setup(sphinx) -> None:
    """Be an extension of Sphinx."""
    sphinx.connect("autodoc-process-signature", with_plain_defaults)
