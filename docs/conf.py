"""Sphinx: MyST pages beside the code, reference from the docstrings, every warning an error."""

import tomllib
from pathlib import Path

metadata = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))
project = "fastrnn"
author = "fastrnn developers"
copyright = f"2026, {author}"
version = release = metadata["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
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

html_theme = "furo"
html_title = f"fastrnn {release}"
