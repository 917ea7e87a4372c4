"""The same work on many portions in several processes; results come in the portions' order."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from typing import Any, TypeVar

P = TypeVar("P")
R = TypeVar("R")


@contextmanager
def working(
    processes: int, make: Callable[..., Callable[[P], R]], *given: Any
) -> Iterator[Callable[[Iterable[P]], Iterator[R]]]:
    """Give a function that yields ``make(*given)(portion)`` for each of many portions.

    Parameters
    ----------
    processes : int
        1: this one does the work. Else this one hands out portions to so many others, each of
        which holds one at a time.
    make : callable
        A class or function of a module, called once in each process.
    *given
        Its arguments, which are pickled.

    Raises
    ------
    ChildProcessError
        A process ended, as it does when the system has no memory left.
    """
    if processes == 1:
        work = make(*given)
        yield lambda portions: map(work, portions)
        return
    # Not fork: threads of this process may hold locks that would never be given back.
    context = get_context("spawn")
    ends: list[Any] = []
    others: list[Any] = []
    try:
        with _without_interrupts():
            for _ in range(processes):
                here, there = context.Pipe()
                ends.append(here)
                task = there, make, given
                others.append(context.Process(target=_serve, args=task, daemon=True))
                others[-1].start()
                there.close()
        yield lambda portions: _in_turn(ends, portions)
    finally:
        for end in ends:
            end.close()  # which ends the process, in whatever way this one ends
        for other in others:
            other.join()


def _in_turn(ends: list[Any], portions: Iterable[Any]) -> Iterator[Any]:
    """Yield the results of portions, which go to the processes in turn."""
    count = 0
    for portion in portions:
        end = ends[count % len(ends)]
        if count >= len(ends):
            yield _result(end)
        _exchanged(end.send, portion)
        count += 1
    for number in range(max(0, count - len(ends)), count):
        yield _result(ends[number % len(ends)])


def _result(end: Any) -> Any:
    """Return what a process made of its portion, or raise what it raised."""
    fine, result = _exchanged(end.recv)
    if not fine:
        raise result
    return result


def _exchanged(act: Callable[..., R], *what: Any) -> R:
    """Send or receive; ChildProcessError if nobody is there."""
    try:
        return act(*what)
    except (EOFError, OSError):
        raise ChildProcessError("one of the processes has ended: is there enough memory?") from None


def _serve(end: Any, make: Callable[..., Callable[[Any], Any]], given: tuple[Any, ...]) -> None:
    """Work until the other end is closed."""
    work = None
    try:
        while True:
            portion = end.recv()
            try:
                work = work or make(*given)
                answer = True, work(portion)
            except Exception as error:  # noqa: BLE001  whatever it is, the other side raises it
                answer = False, error
            end.send(answer)
    except (EOFError, OSError):
        return


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started in here: it is their parent that ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # would let them through when the first process starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
