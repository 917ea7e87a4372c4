"""The command line: `main` hands over to the commands, or says in one line what is missing."""

import sys

import fastrnn
from fastrnn.cli._version import print_version

__all__ = ["main", "print_version"]


def main(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    args : list of str, optional
        What follows the program's name; default ``sys.argv[1:]``.

    Returns
    -------
    int
        0 done, 1 failed with one clear line, 2 wrong usage, 130 interrupted.

    Examples
    --------
    >>> from fastrnn.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    fastrnn ...
    0
    """
    try:
        import rich  # noqa: F401  both looked for here, where their absence gets its answer
        import threadpoolctl  # noqa: F401

        from fastrnn.cli._app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"typer", "rich", "threadpoolctl"}:
            raise
        # What is put into a report of a broken installation must not need a whole one.
        bare = {"--version": print_version, "info": fastrnn.show_config}
        words = sys.argv[1:] if args is None else args
        if len(words) == 1 and words[0] in bare:
            bare[words[0]]()
            return 0
        print(
            f"fastrnn: the command line needs {error.name}: "
            'pip install "fastrnn[cli]" gives it to you',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("fastrnn: interrupted", file=sys.stderr)
        return 130
    return run(args)
