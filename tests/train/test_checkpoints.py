"""Why: what a folder of checkpoints offers after a kill, a full disk or a flipped bit must be the
newest whole one, and it must not be taken for another model's.
"""

import errno
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toy import Shuffled, Toy, batches, digest, flat, trainer

import fastrnn
from fastrnn.io import _files, load_checkpoint
from fastrnn.train import SGD, Checkpoints, Trainer, load_latest

pytest.importorskip("autograd")
pytest.importorskip("safetensors")


def run(folder: Path, updates: int, **options: Any) -> Toy:
    model = Toy()
    made = trainer(model, checkpoint=folder, save_every=5)
    made.fit(Shuffled(), updates=updates, **options)
    return model


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    run(tmp_path, 23)
    assert names(tmp_path) == [f"checkpoint-000000{n}.safetensors" for n in (20, 23)]


@pytest.mark.check(33)
def test_a_damaged_one_is_passed_over_and_training_goes_on(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 30)
    run(tmp_path / "a", 20)
    flip(tmp_path / "a" / "checkpoint-00000020.safetensors")
    with pytest.warns(UserWarning, match="checkpoint-00000020.*SHA-256.*going on from.*15"):
        assert load_latest(tmp_path / "a").state["run"]["update"] == 15
    with pytest.warns(UserWarning, match="going on from"):
        again = run(tmp_path / "a", 30, resume=True)
    assert digest(again.params) == digest(whole.params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_latest(tmp_path / "a").state["run"]["update"] == 30


def test_files_of_an_abandoned_future_go(tmp_path: Path) -> None:
    run(tmp_path, 20)
    flip(tmp_path / "checkpoint-00000020.safetensors")
    with pytest.warns(UserWarning, match="going on from"):
        run(tmp_path, 17, resume=True)
    assert names(tmp_path) == [f"checkpoint-000000{n}.safetensors" for n in (15, 17)]


def test_no_whole_one_is_said(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(fastrnn.CheckpointError, match="no checkpoint in it;"):
            load_latest(folder)
    run(tmp_path, 10)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    before = names(tmp_path)
    with pytest.raises(fastrnn.CheckpointError, match="no checkpoint in it is whole"):
        run(tmp_path, 20, resume=True)
    assert names(tmp_path) == before


def test_a_folder_of_another_training_is_not_overwritten(tmp_path: Path) -> None:
    run(tmp_path, 5)
    before = (tmp_path / "checkpoint-00000005.safetensors").read_bytes()
    with pytest.raises(ValueError, match="resume it"):
        run(tmp_path, 10)
    assert (tmp_path / "checkpoint-00000005.safetensors").read_bytes() == before


def test_resuming_from_nothing_begins(tmp_path: Path) -> None:
    models = run(tmp_path / "a", 7, resume=True), run(tmp_path / "b", 7)
    assert digest(models[0].params) == digest(models[1].params)


def other_config(model: Toy) -> None:
    model.config = {"cell": "gru", "sizes": (2, 5)}


def other_shape(model: Toy) -> None:
    model.params["out"]["weight"] = np.zeros((2, 6), np.float32)


def other_dtype(model: Toy) -> None:
    model.params["out"]["weight"] = np.zeros((2, 5))


def other_name(model: Toy) -> None:
    model.params["head"] = model.params.pop("out")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_config, "another model: cell is 'rnn', here 'gru'"),
        (other_shape, r"another model: out.weight is float32 \(2, 5\), here float32 \(2, 6\)"),
        (other_dtype, "here float64"),
        (other_name, r"another model: it lacks \['head.weight'\] and has \['out.weight'\]"),
    ],
)
def test_another_model_is_refused_in_one_line(tmp_path: Path, change: Any, words: str) -> None:
    run(tmp_path, 5)
    model = Toy(seed=4)
    change(model)
    made = trainer(model, checkpoint=tmp_path)
    before = digest(model.params, dict(made.optimiser.state_dict()))
    with pytest.raises(fastrnn.CheckpointError, match=words) as caught:
        made.fit(Shuffled(), updates=10, resume=True)
    assert "\n" not in str(caught.value)
    assert digest(model.params, dict(made.optimiser.state_dict())) == before


@pytest.mark.parametrize("what", ["optimiser", "momentum", "generator", "data", "kind of data"])
def test_another_training_is_refused_and_nothing_changed(tmp_path: Path, what: str) -> None:
    run(tmp_path, 5)
    others: dict[str, Any] = {"data": Shuffled(8), "kind of data": batches()}
    model, data = Toy(seed=4), others.get(what, Shuffled())
    made = trainer(model, checkpoint=tmp_path)
    if what == "optimiser":
        made = Trainer(model, SGD(lr=0.1), checkpoint=tmp_path, progress=False)
    if what == "generator":
        rng = np.random.Generator(np.random.MT19937(0))
        made = Trainer(model, made.optimiser, rng=rng, checkpoint=tmp_path, progress=False)
    if what == "momentum":
        sgd = Trainer(Toy(), SGD(lr=0.1), checkpoint=tmp_path / "sgd", progress=False)
        sgd.fit(batches(), updates=1)
        momentum = SGD(lr=0.1, momentum=0.9)
        made = Trainer(model, momentum, checkpoint=tmp_path / "sgd", progress=False)
        data = batches()
    before = digest(model.params), json.dumps(str(made.rng.bit_generator.state))
    with pytest.raises(fastrnn.CheckpointError):
        made.fit(data, updates=10, resume=True)
    assert (digest(model.params), json.dumps(str(made.rng.bit_generator.state))) == before
    assert made.optimiser.state_dict()["step"] == 0


def test_every_tensor_and_number_of_the_state_is_needed(tmp_path: Path) -> None:
    """A file with a right sum whose content is not a training's is refused, whatever is missing."""
    run(tmp_path / "a", 5, validation=batches(1), validate_every=2, patience=4)
    found = load_checkpoint(tmp_path / "a" / "checkpoint-00000005.safetensors")
    for number, name in enumerate([*found.tensors, *found.state]):
        folder = tmp_path / str(number)
        tensors = {k: v for k, v in found.tensors.items() if k != name}
        state = {k: v for k, v in found.state.items() if k != name}
        Checkpoints(folder).save(5, tensors, state)
        with pytest.raises(fastrnn.CheckpointError):
            run(folder, 6, resume=True)
    for key, value in (("update", "5"), ("best", [1]), ("bad", None)):
        folder = tmp_path / key
        state = {**found.state, "run": {**found.state["run"], key: value}}
        Checkpoints(folder).save(5, found.tensors, state)
        with pytest.raises(fastrnn.CheckpointError, match=key):
            run(folder, 6, resume=True)


@pytest.mark.check(32)
def test_a_full_disk_is_one_error_and_the_training_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole", 20)
    model, data = Toy(), Shuffled()
    made = trainer(model, checkpoint=tmp_path / "a", save_every=5)
    made.fit(data, updates=5)
    before = (tmp_path / "a" / "checkpoint-00000005.safetensors").read_bytes()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(_files.os, "write", full)
        with pytest.raises(OSError, match=r"No space left on device: .*checkpoint-00000010"):
            made.fit(data, updates=20)
    assert names(tmp_path / "a") == ["checkpoint-00000005.safetensors"]
    assert (tmp_path / "a" / "checkpoint-00000005.safetensors").read_bytes() == before
    made.fit(data, updates=20)
    assert digest(model.params) == digest(whole.params)


def test_the_metrics_file_holds_what_the_weights_have_seen(tmp_path: Path) -> None:
    def lines(name: str) -> list[dict[str, float]]:
        return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]

    trainer(Toy(), metrics=tmp_path / "whole").fit(Shuffled(), updates=30)
    made = trainer(Toy(), metrics=tmp_path / "a", checkpoint=tmp_path / "b", save_every=11)
    made.fit(Shuffled(), updates=11)
    (tmp_path / "a").write_text((tmp_path / "a").read_text() + '{"update": 12, "half a li')
    made = trainer(Toy(), metrics=tmp_path / "a", checkpoint=tmp_path / "b")
    made.fit(Shuffled(), updates=30, resume=True)
    ours = [line for line in lines("a") if line["update"] % 5 == 0]
    assert [line["update"] for line in ours] == [line["update"] for line in lines("whole")]
    assert [line["lr"] for line in ours] == [0.01] * 6


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    made = trainer(Toy(), picture=tmp_path / "loss.png")
    made.fit(batches(), updates=10, validation=lambda: float("inf"))
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.check(34)
@pytest.mark.parametrize("bits", ["PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"])
def test_every_generator_of_numpy_comes_back(tmp_path: Path, bits: str) -> None:
    def generator(seed: int) -> np.random.Generator:
        made = np.random.Generator(getattr(np.random, bits)(seed))
        made.random(3, np.float32)  # half a number is left over
        return made

    models = [Toy() for _ in range(3)]
    for model, updates, seed, resume in zip(models, (9, 4, 9), (1, 1, 7), (0, 0, 1), strict=True):
        folder = tmp_path / ("whole" if updates == 9 and not resume else "a")
        adam, rng = trainer(model).optimiser, generator(seed)
        made = Trainer(model, adam, rng=rng, checkpoint=folder, progress=False)
        made.fit(Shuffled(), updates=updates, resume=bool(resume))
    assert digest(models[0].params) == digest(models[2].params)
    assert not np.array_equal(flat(models[0].params)[0], flat(models[1].params)[0])


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("window", "loss"), "x"),
        (("window", "updates"), -1),
        (("window", "more"), 1),
        (("run", "update"), 10**16),
        (("run", "seconds"), None),
        (("position", "index"), -1),
        (("position", "entered"), 1),
        (("position", "data"), None),
        (("position", "data", "at"), 99),
        (("rng", "state", "state"), "0xzz"),
        (("rng", "state"), ["0x1"]),
        (("rng", "bit_generator"), "os"),
        (("carry",), {"dict": 3}),
        (("carry",), {"tuple": {}}),
        (("carry",), {"tuple": ["carry.9"]}),
        (("carry",), {"list": [], "tuple": []}),
        (("carry",), 3),
    ],
)
def test_a_state_that_says_nonsense_is_refused(
    tmp_path: Path, where: tuple[str, ...], value: Any
) -> None:
    """Its sum is right, so nobody but us can see it; found by random changes of the state."""
    run(tmp_path / "a", 5)
    found = load_checkpoint(tmp_path / "a" / "checkpoint-00000005.safetensors")
    inner = found.state
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    Checkpoints(tmp_path / "b").save(5, found.tensors, found.state)
    model = Toy(seed=4)
    before = digest(model.params)
    with pytest.raises(fastrnn.CheckpointError, match="does not fit this training"):
        trainer(model, checkpoint=tmp_path / "b").fit(Shuffled(), updates=6, resume=True)
    assert digest(model.params) == before
