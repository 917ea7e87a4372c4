"""What a person at a terminal sees: the bar moves, and Ctrl-C ends everything with one line."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.commands import TIMEOUT, demo_command, only_line
from helpers.processes import environment

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

OPTIONS = ("--hidden", "32", "--no-speed", "--seconds", "3")
CONTROLS = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


# Clocks of a demo of 3 s: one lets it make some 300 updates; the other stands still after the
# first evaluation, so that it goes on until it is told to end.
ENDS, GOES_ON = (0.01, 1e9), (0.4, 0.4)


class Terminal:
    """A demo whose three streams are a pseudo-terminal."""

    def __init__(self, clock: tuple[float, float], out: Path) -> None:
        self._master, slave = os.openpty()
        size = {"TERM": "xterm-256color", "COLUMNS": "110", "LINES": "40"}
        self.process = subprocess.Popen(
            [*demo_command(*clock), *OPTIONS, "--sample", "50", "--out", str(out)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(size),
        )
        os.close(slave)
        self.output = ""

    def read(self, until: str | None = None) -> str:
        """Read until the pattern `until` has come, or the other side is closed."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and not (until and re.search(until, self.output)):
            if select.select([self._master], [], [], 1.0)[0]:
                try:
                    piece = os.read(self._master, 65536)
                except OSError:  # how Linux says that the other side is closed
                    break
                if not piece:
                    break
                self.output += piece.decode(errors="replace")
        return self.output

    def close(self) -> None:
        """End what still runs."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """A demo by a clock."""
    running = Terminal(request.param, tmp_path)
    yield running
    running.close()


@pytest.mark.parametrize("terminal", [ENDS], indirect=True)
def test_a_bar_moves(terminal: Terminal) -> None:
    output = terminal.read()
    assert terminal.process.wait(TIMEOUT) == 0
    frames = re.findall(r"[^\r\n]*update \d+  loss[^\r\n]*", output)
    updates = {int(update) for update in re.findall(r"update (\d+)  loss", "".join(frames))}
    assert len(updates) > 2, "the bar did not move"
    frame = CONTROLS.sub("", frames[-1])
    assert re.search(r"━+\S* update \d+  loss [\d.]+ .* [\d,]+ tokens/s +\d+ s left", frame), frame
    assert "bits per character of the" in output


@pytest.mark.parametrize("terminal", [GOES_ON], indirect=True)
def test_ctrl_c_leaves_the_terminal_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    terminal.read(until=r"validation: loss \d")
    terminal.process.send_signal(signal.SIGINT)
    output = terminal.read()
    assert terminal.process.wait(TIMEOUT) == 130
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l"), "the cursor is gone"
    last = CONTROLS.sub("", output).strip().splitlines()[-1]
    assert last == "fastrnn: interrupted"
    assert output.count("interrupted") == 1
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_a_pipe_is_one_line_and_130(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*demo_command(*GOES_ON), *OPTIONS, "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        while "validation: loss" not in (line := process.stdout.readline()):
            assert line, process.stderr and process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert only_line(errors) == "fastrnn: interrupted"
    assert list(tmp_path.iterdir()) == []
