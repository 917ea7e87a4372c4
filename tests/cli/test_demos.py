"""Why: an experiment that only runs from a checkout is no command. Names, help, pictures."""

from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import pytest
from helpers.commands import only_line, run
from helpers.processes import run_python
from helpers.source import ROOT

from _script import PICTURES, plural, save, spread
from fastrnn.cli.demos import NAMES, load
from fastrnn.plot import curves


def test_every_experiment_is_listed_and_every_file_is_an_experiment() -> None:
    listed = run("demo", "--help", COLUMNS="120").stdout
    assert all(name in listed for name in NAMES)
    if (ROOT / "examples").is_dir():
        scripts = {path.stem for path in (ROOT / "examples").glob("[!_]*.py")}
        assert scripts - {"quickstart", "torch_finetune"} == set(NAMES)


def test_the_installed_files_are_those_of_the_checkout() -> None:
    for name in (*NAMES, "_script", "toys.tasks"):
        spec = find_spec(f"fastrnn.examples.{name}")
        assert spec is not None
        assert spec.origin is not None
        here = ROOT / "examples" / f"{name.replace('.', '/')}.py"
        assert Path(spec.origin).read_bytes() == here.read_bytes()


def test_one_seed_has_no_deviation() -> None:
    assert spread([0.25]) == "0.2500"
    assert spread([0.25, 0.75], 2) == "0.50 ± 0.35"
    assert spread([1000, 2000, 3000], 0) == "2,000 ± 1,000"
    assert [plural(n, "seed") for n in (1, 2)] == ["1 seed", "2 seeds"]


def test_a_short_run_prints_its_figures_and_draws_its_picture(tmp_path: Path) -> None:
    done = run("demo", "vanishing_gradient", "--quick", "--plot", str(tmp_path / "new"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "linear, radius 0.9" in done.stdout
    picture = tmp_path / "new" / "vanishing_gradient.png"
    assert f"picture: {picture}" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_pictures_go_to_the_folder_of_the_main_demo_and_names_have_no_quotes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Path("fastrnn-demo") == PICTURES
    for name in NAMES:
        assert signature(load(name)).parameters["plot"].default == PICTURES, name
    save(curves({"a": [1, 2]}, title="t"), tmp_path, "g2p_'tis a")
    assert capsys.readouterr().out == f"picture: {tmp_path / 'g2p_tis_a.png'}\n"


@pytest.mark.parametrize("fault", ["matplotlib", "folder"])
def test_what_could_not_be_drawn_ends_with_1_before_training(fault: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_python(
        """
        import sys
        if sys.argv[1] == "matplotlib":
            sys.modules["matplotlib.figure"] = None
        from fastrnn.cli import main
        sys.exit(main(["demo", "long_lag", "--plot", sys.argv[2]]))
        """,
        fault,
        str(tmp_path / "file" / "below" if fault == "folder" else tmp_path),
    )
    assert (done.returncode, done.stdout) == (1, "")
    wanted = "Not a directory" if fault == "folder" else 'pip install "fastrnn[plot]"'
    assert wanted in only_line(done.stderr)


def test_missing_data_ends_with_3(tmp_path: Path) -> None:
    done = run_python(
        """
        import sys
        from fastrnn.cli import main
        from fastrnn.cli.demos import load
        load("speakers")
        sys.modules["_packages"].find_spec = lambda _: None  # it may be installed here
        sys.exit(main(["demo", "speakers", "--plot", sys.argv[1], "--data", sys.argv[1]]))
        """,
        str(tmp_path),
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert only_line(done.stdout).startswith("skipped: ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--quick", "vanishing_gradient"], "--quick"),
        (["vanishing_gradient", "--seeds", "0"], "--seeds"),
        (["vanishing_gradient", "--hidden", "3"], "--hidden"),
        (["vanishing"], "vanishing"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], named: str) -> None:
    done = run("demo", *arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert done.stdout == ""
