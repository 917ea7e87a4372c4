"""The command as a user runs it, in processes of their own: output, picture, exit codes."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import COMMAND, TIMEOUT, demo_command, only_line, run, run_command
from helpers.processes import environment, run_python

# Small and short, but every stage: what the tests look at does not depend on the quality.
SHORT = ("--quick", "--hidden", "32", "--sample", "120", "--seed", "3")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Output and folder of one finished run of some 300 updates, its output a pipe."""
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    done = run_command([*demo_command(0.01), *SHORT, "--out", str(folder)])
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout, folder


def test_progress_is_plain_lines_in_a_pipe(demo: tuple[str, Path]) -> None:
    output, _ = demo
    assert "\x1b" not in output
    assert "\r" not in output
    pattern = r"^update (\d+)  loss ([\d.]+)  gradient [\d.]+  [\d,]+ tokens/s  (\d+) s left$"
    lines = re.findall(pattern, output, re.MULTILINE)
    assert len(lines) >= 5
    updates, losses, left = np.array(lines, float).T
    assert (np.diff(updates) > 0).all()
    assert (np.diff(left) <= 0).all()
    assert losses[-1] < losses[0] < 5
    held_out = re.findall(r"validation: loss [\d.]+  bits ([\d.]+)", output)
    assert len(held_out) == 2
    assert float(held_out[1]) < float(held_out[0]) < 7


def test_summary_stands_beside_the_compressors(demo: tuple[str, Path]) -> None:
    output, folder = demo
    pattern = r"^  (fastrnn LSTM-32|bz2 -9|xz -9e) +([\d.]+)$"
    figures = dict(re.findall(pattern, output, re.MULTILINE))
    assert 1.9 < float(figures["bz2 -9"]) < 2.1
    assert 1.9 < float(figures["xz -9e"]) < 2.1
    last = re.findall(r"bits ([\d.]+)", output)[-1]
    assert float(figures["fastrnn LSTM-32"]) == pytest.approx(float(last), abs=6e-4)
    # Less than the frequencies of the characters alone would need; a tenth of the updates does it.
    assert float(last) < 4.67
    assert f"picture: {folder / 'loss.png'}" in output


def test_sample_has_its_length_and_the_letters_of_the_text(demo: tuple[str, Path]) -> None:
    output, _ = demo
    sample = output.split("one step at a time):\n")[1].split("\nspeed:")[0]
    assert sample.startswith("The ")
    assert len(sample) - 1 == len("The ") + 120
    assert len(set(sample)) > 10


def test_speed_table_has_every_cell(demo: tuple[str, Path]) -> None:
    output, _ = demo
    table = output.split("\nspeed: ")[1]
    for cell in ("RNN", "GRU", "LSTM"):
        pattern = rf"^ *{cell} +(forward|training) +(32|1) +([\d.]+)"
        rows = re.findall(pattern, table, re.MULTILINE)
        assert [row[:2] for row in rows] == [
            ("forward", "32"),
            ("training", "32"),
            ("forward", "1"),
        ]
        assert all(float(row[2]) > 0 for row in rows)


def test_picture_is_an_image_with_a_curve_in_it(demo: tuple[str, Path]) -> None:
    from matplotlib.image import imread

    picture = demo[1] / "loss.png"
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(picture)
    assert min(pixels.shape[:2]) >= 400
    blue = np.abs(pixels[..., :3] - np.array([0x1F, 0x77, 0xB4]) / 255).max(axis=-1) < 0.05
    assert blue.sum() > 300, "no curve"
    assert blue.any(axis=0).sum() > pixels.shape[1] / 2, "the curve does not cross the picture"
    assert blue.any(axis=1).sum() > pixels.shape[0] / 6, "the curve is flat"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["demo", "--secnds", "3"], "--secnds"),
        (["demo", "--seconds", "0"], "--seconds"),
        (["demo", "--seconds", "nan"], "--seconds"),
        (["demo", "--temperature", "inf"], "--temperature"),
        (["demo", "--hidden", "many"], "--hidden"),
        (["demo", "--threads", "0"], "--threads"),
        (["demo", "--temperature", "-1"], "--temperature"),
        (["demon"], "demon"),
        (["demo", "surplus"], "surplus"),
    ],
)
def test_wrong_usage_is_named_and_ends_with_2(arguments: list[str], named: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_folder_that_cannot_be_made_ends_with_1_before_training(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    done = run("demo", "--quick", "--out", str(blocker / "below"))
    assert done.returncode == 1
    assert only_line(done.stderr) == f"fastrnn: {blocker / 'below'}: Not a directory"
    assert done.stdout == ""


def test_an_unforeseen_failure_ends_with_1_and_one_line(tmp_path: Path) -> None:
    done = run_python(
        """
        import sys
        from fastrnn.cli import main
        from fastrnn.models import LanguageModel
        def broken(*args, **keywords):
            raise RuntimeError("two\\nlines")
        LanguageModel.loss_with_state = broken
        sys.exit(main(["demo", "--quick", "--out", sys.argv[1]]))
        """,
        str(tmp_path),
    )
    assert done.returncode == 1
    assert only_line(done.stderr) == "fastrnn: RuntimeError: two lines"


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("typer", "cli"),
        ("rich", "cli"),
        ("threadpoolctl", "cli"),
        ("autograd.core", "train"),
        ("matplotlib.figure", "plot"),
    ],
)
def test_a_missing_package_is_one_line_with_the_cure(
    module: str, extra: str, tmp_path: Path
) -> None:
    done = run_python(
        """
        import sys
        sys.modules[sys.argv[1]] = None
        from fastrnn.cli import main
        sys.exit(main(["demo", "--quick", "--out", sys.argv[2]]))
        """,
        module,
        str(tmp_path),
    )
    assert done.returncode == 1
    assert f'pip install "fastrnn[{extra}]"' in only_line(done.stderr)


def test_info_is_the_configuration() -> None:
    done = run("info")
    printed = run_python("import fastrnn; fastrnn.show_config()")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == printed.stdout
    assert "threads" in done.stdout


def test_version() -> None:
    import fastrnn

    code = "import runpy; runpy.run_module('fastrnn', run_name='__main__')"
    package = run_python(code, "--version")
    for done in (run("--version"), package):
        assert (done.returncode, done.stdout) == (0, f"fastrnn {fastrnn.__version__}\n")


def test_help_names_every_option() -> None:
    done = run("demo", "--help", COLUMNS="120")
    assert done.returncode == 0
    options = "seconds hidden threads seed out sample temperature quick no-speed"
    for option in options.split():
        assert f"--{option}" in done.stdout
    listed = run("--help").stdout
    assert "demo" in listed
    assert "info" in listed


def test_a_closed_pipe_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "info"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        env=environment(),
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1
    assert only_line(done.stderr) == "fastrnn: the reader of the output went away"
