"""Why: ranks that are given wrong weights still learn, only something else; and where one rank goes
another way than the others, all of them wait for ever. So many ranks must do what one does.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import jobs
from helpers.tolerances import RANKS

from fastrnn.data import contiguous_streams, windows
from fastrnn.distributed import Comm, SerialComm, ThreadComm
from fastrnn.distributed.comm import RankEndedError
from fastrnn.io import CheckpointError, load_checkpoint, save_checkpoint
from fastrnn.train import Adam, Trainer

pytest.importorskip("autograd")
pytest.importorskip("safetensors")


@pytest.mark.check(36, quick=20, full=100)  # updates
@pytest.mark.parametrize("name", list(jobs.JOBS))
def test_many_ranks_learn_what_one_learns(name: str, long: bool, count: int) -> None:
    for dtype in (np.float64, np.float32):
        alone, records = jobs.train(None, jobs.JOBS[name], dtype, count)
        bound = RANKS[np.dtype(dtype)]
        for size in (1, 2, 3, 4) if long else (2, 3):
            found = ThreadComm.run(
                size, lambda comm, t=dtype: jobs.train(comm, jobs.JOBS[name], t, count)
            )
            assert len({jobs.digest(params) for params, _ in found}) == 1
            assert jobs.distance(found[0][0], alone) < bound
            for record, wanted in zip(found[0][1], records, strict=True):
                assert record["loss"] == pytest.approx(wanted["loss"], rel=bound)
                assert record["tokens"] == wanted["tokens"]


@pytest.mark.parametrize("name", list(jobs.JOBS))
def test_many_ranks_accumulate_what_one_does(name: str) -> None:
    alone, records = jobs.train(None, jobs.JOBS[name], updates=12, accumulate=3)
    found = ThreadComm.run(
        3, lambda comm: jobs.train(comm, jobs.JOBS[name], updates=12, accumulate=3)
    )
    assert len({jobs.digest(params) for params, _ in found}) == 1
    assert jobs.distance(found[0][0], alone) < RANKS[np.dtype(np.float64)]
    assert [r.get("tokens") for r in found[0][1]] == [r.get("tokens") for r in records]


@pytest.mark.check(36)
def test_rows_of_words_that_no_rank_has_are_left_alone() -> None:
    found = ThreadComm.run(3, lambda comm: jobs.train(comm, jobs.rare_words)[0])
    assert all(jobs.unseen_are_kept(params) for params in found)
    found[0]["embedding.weight"][0] += 1e-16
    found[0]["embedding.weight"][1] += 1e-3
    assert not jobs.unseen_are_kept(found[0])


@pytest.mark.check(36)
def test_one_rank_is_a_process_alone_and_runs_repeat_bitwise() -> None:
    alone = jobs.digest(jobs.train(None, jobs.sentences)[0])
    for comm in (SerialComm(), None):
        assert jobs.digest(jobs.train(comm, jobs.sentences)[0]) == alone
    assert ThreadComm.run(1, lambda c: jobs.digest(jobs.train(c, jobs.sentences)[0])) == [alone]
    runs = [ThreadComm.run(3, lambda c: jobs.train(c, jobs.sentences)[0]) for _ in range(2)]
    assert len({jobs.digest(params) for run in runs for params in run}) == 1


def dropping(dtype: Any) -> tuple[Any, Any]:
    return jobs.language_model(dtype, dropout=0.3)


@pytest.mark.check(37)
@pytest.mark.parametrize("job", [dropping, jobs.sentences])
def test_resumed_is_bitwise_never_stopped(tmp_path: Path, job: Any) -> None:
    def run(comm: Comm, folder: str, updates: int, resume: bool = False) -> str:
        where = {"checkpoint": tmp_path / folder, "resume": resume}
        return jobs.digest(jobs.train(comm, job, updates=updates, **where)[0])

    whole = ThreadComm.run(2, lambda comm: run(comm, "whole", 17))
    for updates in (5, 12):  # in the first and in the second epoch
        ThreadComm.run(2, lambda comm, n=updates: run(comm, "parts", n, n > 5))
    assert ThreadComm.run(2, lambda comm: run(comm, "parts", 17, True)) == whole


@pytest.mark.check(37)
@pytest.mark.parametrize("name", ["streams", "windows", "classifier"])
def test_resumed_by_another_number_of_ranks(tmp_path: Path, name: str) -> None:
    alone = jobs.train(None, jobs.JOBS[name], updates=18)[0]
    for sizes in ((2, 3), (3, 1), (1, 2)):
        where = {"checkpoint": tmp_path / str(sizes)}
        for size, updates, resume in zip(sizes, (8, 18), (False, True), strict=True):
            found = ThreadComm.run(
                size,
                lambda comm, n=updates, r=resume, w=where: jobs.train(
                    comm, jobs.JOBS[name], updates=n, resume=r, **w
                )[0],
            )
        assert len({jobs.digest(params) for params in found}) == 1
        assert jobs.distance(found[0], alone) < (0.1 if name in jobs.CARRYING else 1e-10)


def test_noise_differs_from_rank_to_rank() -> None:
    def draws(comm: Comm) -> tuple[float, float]:
        rng = np.random.default_rng(4)
        made = Trainer(jobs.windowed(np.float64)[0], Adam(), rng=rng, dist=comm)
        assert made.rng is rng or rng.random() == expected
        return made.rng.random(), made.rng.random()

    expected = np.random.default_rng(4).random()
    found = ThreadComm.run(3, draws)
    assert found[0][0] == expected
    assert len({value for pair in found for value in pair}) == 6


def test_rank_0_alone_validates_and_writes(tmp_path: Path) -> None:
    asked: list[int] = []
    falling = iter([9.0, 3.0, 2.0, 2.5, 2.6, 1.0])  # the first before the first update

    def run(comm: Comm) -> Any:
        def validation() -> float:
            asked.append(comm.rank)
            return next(falling)

        fit = {"validation": validation, "validate_every": 2, "patience": 2}
        files = {"checkpoint": tmp_path / "c", "save_every": 3, "metrics": tmp_path / "m.jsonl"}
        params, records = jobs.train(comm, jobs.classifier, fit=fit, **files)
        return jobs.digest(params), [r for r in records if "validation_loss" in r][-1]["update"]

    found = ThreadComm.run(3, run)
    assert asked == [0] * 5
    assert found == [found[0]] * 3
    assert found[0][1] == 8
    lines = (tmp_path / "m.jsonl").read_text().splitlines()
    assert sum("validation_loss" in line for line in lines) == 4
    newest = load_checkpoint(max((tmp_path / "c").iterdir()))
    assert len(newest.state["ranks"]) == 2


def test_fit_of_a_model_takes_the_ranks_too() -> None:
    def run(comm: Comm | None) -> Any:
        dist = {"dist": comm, "progress": False, "updates": 12}
        model, data = jobs.segmented(np.float64)
        model.fit(data._position._data, Adam(lr=0.02), segment_turns=2, **dist)
        other, data = jobs.sentences(np.float64)
        other.fit(data._data, Adam(lr=0.02), rng=np.random.default_rng(0), **dist)
        return jobs.flatten(model.params), jobs.digest(jobs.flatten(other.params))

    alone = run(None)
    found = ThreadComm.run(2, run)
    assert found[0][1] == found[1][1] != alone[1]  # each rank draws noise of its own
    assert jobs.distance(found[0][0], alone[0]) < 1e-10


@pytest.mark.parametrize("ranks", [5, [3], [{"carry": None}], "ab"])
def test_a_checkpoint_with_other_ranks_than_any_is_refused(tmp_path: Path, ranks: Any) -> None:
    jobs.train(None, jobs.classifier, updates=2, checkpoint=tmp_path)
    path = next(tmp_path.iterdir())
    found = load_checkpoint(path)
    save_checkpoint(path, found.tensors, {**found.state, "ranks": ranks})
    with pytest.raises(CheckpointError, match="its state of the ranks is not one"):
        jobs.train(None, jobs.classifier, updates=3, checkpoint=tmp_path, resume=True)


def test_seconds_are_those_of_rank_0() -> None:
    def run(comm: Comm) -> float:
        records = jobs.train(comm, jobs.windowed, updates=None, fit={"seconds": 0.05})[1]
        return records[-1]["seconds"]

    found = ThreadComm.run(2, run)
    assert found[0] == found[1] >= 0.05


@pytest.mark.check(37)
def test_an_error_on_one_rank_stops_all() -> None:
    def broken(comm: Comm) -> Any:
        def job(dtype: Any) -> tuple[Any, Any]:
            model, data = jobs.classifier(dtype)
            if comm.rank == 1:
                data._make = None
            return model, data

        return jobs.train(comm, job)

    with pytest.raises(TypeError, match="batch must be"):
        ThreadComm.run(3, broken)


def test_a_loss_that_is_not_finite_stops_all_ranks_at_the_same_update() -> None:
    def run(comm: Comm) -> Any:
        model, data = jobs.classifier(np.float64)
        loss = model.loss
        model.loss = lambda *given: loss(*given) * (np.nan if comm.rank == 1 else 1.0)
        before = jobs.digest(jobs.flatten(model.params))
        trainer = Trainer(model, Adam(), dist=comm, progress=False)
        with pytest.raises(FloatingPointError, match="update 1;"):
            trainer.fit(data, updates=3)
        return before == jobs.digest(jobs.flatten(model.params)) and trainer.updates == 0

    assert ThreadComm.run(2, run) == [True, True]


@pytest.mark.check(36)
def test_ranks_that_differ_are_found_out(tmp_path: Path) -> None:
    def run(comm: Comm) -> None:
        model, data = jobs.classifier(np.float64)

        def validation() -> float:
            model.params["out"]["bias"][0] += 1.0  # on rank 0 alone
            return 1.0

        trainer = Trainer(model, Adam(), dist=comm, progress=False, checkpoint=tmp_path)
        trainer.fit(data, updates=3, validation=validation)

    with pytest.raises(RuntimeError, match="the ranks have diverged"):
        ThreadComm.run(2, run)
    assert not list(tmp_path.iterdir())


def test_first_weights_are_those_of_rank_0() -> None:
    def run(comm: Comm) -> str:
        model, data = jobs.classifier(np.float64)
        model.params["out"]["bias"] += comm.rank
        Trainer(model, Adam(), dist=comm, progress=False).fit(data, updates=2)
        return jobs.digest(jobs.flatten(model.params))

    first, second = ThreadComm.run(2, run)
    assert first == second


def test_parts_are_the_whole() -> None:
    data = contiguous_streams(np.arange(61), N=5, T=4)
    parts = [data.shard(ThreadComm(rank, _Size(2))) for rank in range(2)]
    for whole, *shared in zip(data, *parts, strict=True):
        for n in range(5):
            assert shared[n % 2][0][:, n // 2].tolist() == whole[0][:, n].tolist()
    assert parts[0].state_dict() == data.state_dict()


class _Size:
    def __init__(self, size: int) -> None:
        self.size = size


def test_other_data_on_another_rank_are_found_out() -> None:
    def run(comm: Comm) -> None:
        model, _ = jobs.windowed(np.float64)
        data = windows(jobs.TEXT, N=6, T=3, seed=comm.rank)
        Trainer(model, Adam(), dist=comm, progress=False).fit(data, updates=2)

    with pytest.raises(ValueError, match=r'the same on all ranks, got .*"seed": 0.* and .*: 1'):
        ThreadComm.run(3, run)


def test_what_cannot_be_shared_is_refused() -> None:
    class NoTerms:
        def __init__(self) -> None:
            self.params = {"w": np.zeros(1)}

        def loss(self, params: Any, batch: Any, rng: Any) -> Any:
            return 0.0

    def run(comm: Comm) -> None:
        model, _ = jobs.classifier(np.float64)
        with pytest.raises(TypeError, match=r"NoTerms has none"):
            Trainer(NoTerms(), Adam(), dist=comm)
        with pytest.raises(TypeError, match=r"shared by 2 ranks, and list has none"):
            Trainer(model, Adam(), dist=comm, progress=False).fit([1], updates=1)
        with pytest.raises(ValueError, match="N must be"):
            contiguous_streams(np.arange(9), N=1, T=2).shard(comm)

    ThreadComm.run(2, run)
    with pytest.raises(TypeError, match="dist must be what"):
        Trainer(jobs.classifier(np.float64)[0], Adam(), dist=2)  # type: ignore[arg-type]


@pytest.mark.check(37)
@pytest.mark.parametrize("leaver", [0, 1, 2])
@pytest.mark.parametrize("way", ["returns", "sys.exit(0)", "sys.exit()", "sys.exit(1)", "abort(0)"])
@pytest.mark.parametrize("calls", [0, 2])
def test_a_rank_that_leaves_ends_those_that_wait(way: str, leaver: int, calls: int) -> None:
    def job(comm: ThreadComm) -> str:
        for _ in range(calls):
            comm.allreduce_(np.ones(2))
        if comm.rank == leaver:
            if way == "abort(0)":
                comm.abort(0)
            elif way != "returns":
                sys.exit({"sys.exit(0)": 0, "sys.exit()": None, "sys.exit(1)": 1}[way])
            return "left"
        comm.barrier()
        return "stayed"

    with pytest.raises((RuntimeError, SystemExit)) as caught:
        ThreadComm.run(3, job)
    assert caught.type is RankEndedError or way in ("sys.exit(1)", "abort(0)")
    if caught.type is SystemExit:
        assert caught.value.code == {"sys.exit(1)": 1, "abort(0)": 0}[way]


def test_ranks_may_end_one_after_the_other() -> None:
    def job(comm: ThreadComm) -> int:
        comm.barrier()
        if comm.rank == 1:
            sys.exit(0)
        return comm.rank

    assert ThreadComm.run(3, job) == [0, None, 2]


@pytest.mark.parametrize("size", [2, 3])
def test_a_validation_that_fails_on_rank_0_fails_on_all_and_loses_nothing(
    tmp_path: Path, size: int
) -> None:
    figures = iter([{"loss": 1.0}, {"loss": 2.0}, {"error": 3.0}])
    said = []

    def job(comm: Comm) -> None:
        options: Any = {"validation": lambda: next(figures), "validate_every": 3}
        try:
            jobs.train(comm, jobs.classifier, checkpoint=tmp_path, fit=options)
        except (ValueError, RuntimeError) as error:
            said.append(f"{type(error).__name__}: {error}")

    ThreadComm.run(size, job)
    assert len(said) == size
    assert all("monitor must name a figure of ['error']" in words for words in said)
    assert sum(words.startswith("ValueError") for words in said) == 1
    (file,) = tmp_path.iterdir()
    assert load_checkpoint(file).state["run"]["update"] == 6
