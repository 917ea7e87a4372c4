"""Why: an experiment that only runs from a checkout is no command. Names, help, pictures."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.commands import run
from helpers.source import ROOT

from _script import plural, spread
from fastrnn.cli.demos import NAMES


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
