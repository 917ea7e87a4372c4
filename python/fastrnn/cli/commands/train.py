"""``fastrnn train``: a model, its data and its training, all described by one TOML file."""

import inspect
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import fastrnn
from fastrnn import models, train
from fastrnn._checks import MAX_THREADS, integer
from fastrnn.cli._config import Config
from fastrnn.cli._memory import memory_line
from fastrnn.cli.datasets.section import DATASETS, read_dataset
from fastrnn.cli.datasets.text import Dataset
from fastrnn.distributed import Comm, init
from fastrnn.io._files import atomic_write
from fastrnn.models._parts.model import MODEL_FILE
from fastrnn.train import schedule
from fastrnn.train._loop import Limits, Validation, shown

SECTIONS = ("model", "data", "optimiser", "schedule", "training")
OPTIMISERS: dict[str, Callable[..., train.Optimiser]] = {
    name: getattr(train, name) for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad")
}
SCHEDULES: dict[str, Callable[..., Any]] = {
    name: getattr(schedule, name)
    for name in (
        *("constant", "step_decay", "exponential", "linear", "cosine", "inverse_sqrt"),
        "ReduceOnPlateau",
    )
}


def run_train(path: Path, *, resume: bool) -> None:
    """Train what the file says, and leave the model in the folder that it names.

    Parameters
    ----------
    path : Path
        The TOML file; the paths in it start from its own folder.
    resume : bool
        Go on from the newest checkpoint in the folder.
    """
    dist = init()
    config = Config(path, SECTIONS)
    settings = config.section("training")
    seed, threads = settings.get("seed", 0), settings.pop("threads", None)
    if type(seed) is not int or seed < 0:
        raise config.error("training", f"seed must be an integer of at least 0, got {seed!r}")
    if "folder" not in settings:
        raise config.error("training", "needs folder")
    folder = path.parent / str(settings.pop("folder"))
    if threads is not None:
        config.call("training", _set_threads, {}, threads=threads)
    dataset, model = _model(config, np.random.default_rng(seed))
    with closing(dataset):
        _learn(config, dataset, model, settings, folder, dist, resume=resume)


def _learn(
    config: Config,
    dataset: Dataset,
    model: Any,
    settings: dict[str, Any],
    folder: Path,
    dist: Comm,
    *,
    resume: bool,
) -> None:
    """Train the model by what section [training] says, and print and write what came of it."""
    seed, segment_turns = settings.pop("seed", 0), settings.pop("segment_turns", None)
    if dist.rank == 0:
        print(f"data: {dataset.words}")
        if dataset.unknown:
            print(f"unknown symbols: {dataset.unknown}")
        print(f"model: {model}, {model.parameter_count:,} parameters", flush=True)
    rng = np.random.default_rng(seed + 1)
    trainer, limits = _trainer(config, settings, model, folder, rng, dist)
    _check_limits(config, model, dataset.held_out, limits)
    if dist.rank == 0:
        copies = ("patience" in limits) + (settings.get("accumulate", 1) > 1)
        line = memory_line(model, trainer.optimiser, dataset.steps, dataset.predicted, copies)
        print(f"memory: {line}", flush=True)
    data = _as_fit_has_it(config, model, dataset.train, segment_turns)
    # BLAS threads that spin between products would take the cores away from the layers.
    with threadpool_limits(1, user_api="blas"):
        try:
            trainer.fit(data, validation=dataset.held_out, resume=resume, **limits)
        except KeyboardInterrupt:
            if trainer.updates and dist.rank == 0:
                _leave(folder, model, dataset)
                print(f"stopped after {trainer.updates} updates; --resume goes on from there")
            raise
        if dist.rank > 0:
            return
        _leave(folder, model, dataset)
    figures = model.evaluate(dataset.held_out)
    print("held out: " + "  ".join(f"{name} {shown(value)}" for name, value in figures.items()))
    print(f"model: {folder / MODEL_FILE}")


def _as_fit_has_it(config: Config, model: Any, data: Any, segment_turns: Any) -> Any:
    """Return the batches as the `fit` of the model hands them to its trainer."""
    options = {} if segment_turns is None else {"segment_turns": segment_turns}
    if not options.keys() <= inspect.signature(model.batches).parameters.keys():
        kind = type(model).__name__
        raise config.error("training", f"segment_turns cuts dialogues, and a {kind} reads none")
    return config.call("training", model.batches, {}, data=data, **options)


def _model(config: Config, rng: np.random.Generator) -> tuple[Dataset, Any]:
    """Return the data of section [data], and a model for it as section [model] wants it."""
    classes = {kind: getattr(models, kind) for kind in DATASETS}
    kind, table = config.choice("model", "kind", classes)
    dataset = read_dataset(config, kind.__name__)
    known = table.get("speakers", 0)
    if type(known) is int and known < dataset.speakers:
        needs = f"speakers must be at least {dataset.speakers}, as the dialogues name so many"
        raise config.error("model", f"{needs}, got {known}")
    takes = inspect.signature(kind).parameters.values()
    layers = {"lstm": fastrnn.LSTM, "gru": fastrnn.GRU, "rnn": fastrnn.RNN}
    layer = layers.get(str(table.get("cell")), fastrnn.LSTM)
    also = config.keys(layer) if any(p.kind is p.VAR_KEYWORD for p in takes) else ()
    model = config.call("model", kind, table, also=also, rng=rng, **dataset.model)
    return dataset, model


def _trainer(
    config: Config,
    settings: dict[str, Any],
    model: Any,
    folder: Path,
    rng: np.random.Generator,
    dist: Comm,
) -> tuple[train.Trainer, dict[str, Any]]:
    """Return the trainer, and what its `fit` shall be called with."""
    given = {
        "model": model,
        "optimiser": _optimiser(config),
        "rng": rng,
        "checkpoint": folder,
        "metrics": folder / "metrics.jsonl",
        "picture": folder / "loss.png" if _can_draw() else None,
        "progress": True,
        "callbacks": (),
        "dist": dist,
    }
    limits = config.keys(train.Trainer.fit, {"data": 0, "validation": 0, "resume": 0})
    own = config.keys(train.Trainer, given)
    others = ["folder", "seed", "threads", "segment_turns"]
    config.check("training", settings, [*own, *limits, *others])
    options = {key: value for key, value in settings.items() if key in own}
    trainer = config.call("training", train.Trainer, options, **given)
    return trainer, {key: value for key, value in settings.items() if key in limits}


def _check_limits(config: Config, model: Any, held_out: Any, limits: dict[str, Any]) -> None:
    """Refuse what `fit` would refuse, in the words of the file and before anything begins."""
    ends = {name: limits.get(name) for name in ("epochs", "updates", "seconds")}
    config.call("training", Limits, ends)
    config.call(
        "training", Validation, {}, model=model, source=held_out,
        every=limits.get("validate_every"), patience=limits.get("patience"),
        monitor=limits.get("monitor", "loss"), best=limits.get("best"),
    )  # fmt: skip


def _optimiser(config: Config) -> train.Optimiser:
    kind, table = config.choice("optimiser", "kind", OPTIMISERS, default="Adam")
    if not config.section("schedule"):
        return config.call("optimiser", kind, table, also=("kind",))
    if "lr" in table:
        raise config.error("optimiser", "lr stands in [schedule] too; leave out one of them")
    make, own = config.choice("schedule", "kind", SCHEDULES)
    warmup, followed = own.pop("warmup", None), own.pop("follow", None)
    lr = config.call("schedule", make, own, also=("kind", "warmup", "follow"))
    if followed is not None:
        lr = config.call("schedule", _followed, {}, lr=lr, follow=followed)
    if warmup is not None:
        lr = config.call("schedule", _warmed, {}, lr=lr, warmup=warmup)
    return config.call("optimiser", kind, table, also=("kind",), lr=lr)


def _set_threads(threads: Any) -> None:
    """Set the number of threads, which an error calls by the file's name for it."""
    fastrnn.set_num_threads(integer("threads", threads, 1, MAX_THREADS))


def _followed(lr: Any, follow: Any) -> Any:
    """Return the schedule as one of epochs, seconds or percent of the work."""
    if follow not in schedule.FOLLOWED:
        raise ValueError(f"follow must be one of {schedule.FOLLOWED}, got {follow!r}")
    return schedule.follow(follow, lr)


def _warmed(lr: Any, warmup: Any) -> Any:
    """Return the schedule with so many updates of warm-up, by the file's name for them."""
    return schedule.warmup(lr, integer("warmup", warmup, 0))


def _can_draw() -> bool:
    try:
        from fastrnn.plot import require_matplotlib

        require_matplotlib()
    except ImportError:
        return False
    return True


def _leave(folder: Path, model: Any, dataset: Dataset) -> None:
    """Write the model as it is, and what its labels mean."""
    model.save(folder / MODEL_FILE)
    if dataset.labels:
        with atomic_write(folder / "labels.json") as file:
            file.write(json.dumps(dataset.labels, ensure_ascii=False).encode() + b"\n")
