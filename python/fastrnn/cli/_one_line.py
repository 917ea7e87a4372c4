"""The one place that turns what happened in a command into one line and an exit code."""

import functools
import os
import sys
from collections.abc import Callable, Container
from contextlib import AbstractContextManager, nullcontext
from typing import ParamSpec

import typer

P = ParamSpec("P")


def one_line(command: Callable[P, None]) -> Callable[P, None]:
    """Let a command end with one line on stderr and its exit code, never with a traceback."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except typer.BadParameter:
            raise  # options that do not go together: typer says so, as of any wrong option
        except KeyboardInterrupt:
            print("fastrnn: interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # The reader is gone. Python flushes stdout once more at exit: let that go nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            print("fastrnn: the reader of the output went away", file=sys.stderr)
            raise typer.Exit(1) from None
        except Exception as error:  # noqa: BLE001  the boundary: whatever it was, say it in one line
            with _ending_all(1, getattr(error, "ended", ())):
                print(f"fastrnn: {_describe(error)}", file=sys.stderr)
            raise typer.Exit(1) from None

    return guarded


def _ending_all(status: int, ended: Container[int]) -> AbstractContextManager[None]:
    """End the other processes of a job under MPI too: they would wait for this one for ever."""
    mpi = sys.modules.get("fastrnn.distributed.mpi")
    return nullcontext() if mpi is None else mpi.ending_all(status, ended)


def _describe(error: Exception) -> str:
    """Return the error in one line; its type too where the text was not meant for users."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    meant_for_users = isinstance(
        error, ArithmeticError | ImportError | MemoryError | OSError | ValueError
    )
    return text if text and meant_for_users else f"{type(error).__name__}: {text}".rstrip(": ")
