"""What ``fastrnn --version`` prints; it needs nothing that is optional."""

import fastrnn


def print_version() -> None:
    """Print the program's name and version."""
    print(f"fastrnn {fastrnn.__version__}")
