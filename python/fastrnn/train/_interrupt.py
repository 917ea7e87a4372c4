"""Ctrl-C: at once during a computation, never in the middle of a change, and only once."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

# What schedulers send before they take the machine away, and a terminal that closes.
ENDING = ("SIGTERM", "SIGUSR1", "SIGHUP")


class Ended(SystemExit):
    """The training ends because a scheduler asked for it; it is no failure."""


class Interrupts:
    """Puts off Ctrl-C while `held`, for as long as this context is entered.

    It stands in for Python's own handler only. Once KeyboardInterrupt has been raised, more of them
    are left out until the context ends. In other threads than the main one, where no signal
    arrives, and under a handler of the user's it does nothing.

    Parameters
    ----------
    listen : bool
        Take note of what schedulers send, too.

    Attributes
    ----------
    ended : bool
        Whether something of theirs came.

    Examples
    --------
    >>> from fastrnn.train._interrupt import Interrupts
    >>> with Interrupts() as interrupts:
    ...     with interrupts.held():
    ...         pass  # whole, or not begun
    """

    def __init__(self, listen: bool = False) -> None:
        self._held = 0
        self._pending = self._leaving = self.ended = False
        self._before: Any = None
        self._listens, self._process = listen, os.getpid()
        self._others: dict[int, Any] = {}

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and self._listens:
            numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
            # A handler of the user's, and what nohup ignores, stay.
            free = [n for n in numbers if signal.getsignal(n) == signal.SIG_DFL]
            self._others = {n: signal.signal(n, self._on_ending) for n in free}
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._others.items():
            signal.signal(number, before)
        self._others = {}
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
            self._pending = self._leaving = False

    @property
    def pending(self) -> bool:
        """Whether Ctrl-C came and waits."""
        return self._pending

    def held(self) -> "_Hold":
        """Return a context in which Ctrl-C waits; it is raised where the outermost one ends."""
        return _Hold(self)

    def _on_ending(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if os.getpid() == self._process:
            self.ended = True
            return
        signal.signal(number, signal.SIG_DFL)  # a forked child, whose end nobody waits for
        os.kill(os.getpid(), number)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._leaving:
            return  # on the way out already: what is saved there is to be saved whole
        if self._held:
            self._pending = True
            return
        self._leaving = True
        raise KeyboardInterrupt


class _Hold:
    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts

    def __enter__(self) -> None:
        self._interrupts._held += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._interrupts._held -= 1
        if self._interrupts._pending and not self._interrupts._held:
            self._interrupts._pending = False
            if error is None:
                self._interrupts._leaving = True
                raise KeyboardInterrupt
