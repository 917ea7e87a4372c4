"""What ranks do together in a training; with one rank nearly all of it does nothing."""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from fastrnn._checks import Array
from fastrnn._row_gradient import LARGE, RowGradient, summed
from fastrnn.distributed.comm import Comm, SerialComm
from fastrnn.io import Checkpoint, CheckpointError
from fastrnn.train._trees import flatten, nested

Kept = Callable[[], Mapping[str, Array]]  # what an optimiser's state_dict is
# Bytes of gradients in one call. Two ranks add 8.4 MB in 1.1 to 1.4 ms by calls of any size from
# 256 KiB on; where others use the cores, each call waits for its turn: 12 ms by one call, 32 ms by
# two, 87 ms by nine (MPICH 5.0, two Zen 5 cores).
BUCKET = 2**24
_IN_CACHE = 2**14  # numbers that are rounded at once: a third of the time of all at once


class Ranks:
    """The ranks of one training.

    Every method is a collective call: all ranks make it, in the same order. Whatever decides how a
    training goes on comes from one place, so that no rank waits for one that went another way.

    Parameters
    ----------
    comm : Comm or None
        None: this process alone.
    exchange : "bfloat16" or None
        What gradients are sent as; None: as they are.

    Attributes
    ----------
    alone, first : bool
        Whether there is no other rank, and whether this is rank 0, which writes and shows.
    """

    def __init__(self, comm: Comm | None, exchange: str | None = None) -> None:
        if comm is not None and not isinstance(comm, Comm):
            raise TypeError(
                "dist must be what fastrnn.distributed.init() returns, or another Comm, "
                f"got {type(comm).__name__}"
            )
        self.comm = SerialComm() if comm is None else comm
        self.alone, self.first = self.comm.size == 1, self.comm.rank == 0
        if exchange not in (None, "bfloat16"):
            raise ValueError(f"exchange must be 'bfloat16' or None, got {exchange!r}")
        self._arena = Arena(exchange is not None)
        self.rows: str | None = None  # how gradients of tables come, as `value_and_grad` says

    def generator(self, rng: np.random.Generator) -> np.random.Generator:
        """Return the generator of rank 0, and others for the others, each with its own stream.

        The caller's is left alone there: it may still have to draw the same on all ranks.
        """
        own = rng if self.first else copy.deepcopy(rng)
        self.spread(own)
        return own

    def spread(self, rng: np.random.Generator) -> None:
        """Give the generators of all ranks but the first streams of their own, drawn from it."""
        if self.alone:
            return
        source = np.random.Generator(copy.deepcopy(rng.bit_generator))
        seed = source.integers(2**63, size=2)
        self.comm.broadcast_(seed)
        if not self.first:
            kind: Any = type(rng.bit_generator)
            fresh = kind(np.random.SeedSequence([*seed.tolist(), self.comm.rank]))
            rng.bit_generator.state = fresh.state

    def data(self, data: Any) -> Any:
        """Return this rank's part of all batches."""
        if self.alone:
            return data
        if not hasattr(data, "shard"):
            raise TypeError(
                f"data must have shard(comm) to be shared by {self.comm.size} ranks, and "
                f"{type(data).__name__} has none; fastrnn.data.batches(…, make=…) makes batches "
                "of anything"
            )
        return data.shard(self.comm)

    def undisturbed(self, interrupts: Any) -> Any:
        """Return a context in which Ctrl-C waits until all ranks know of it."""
        return nullcontext() if self.alone else interrupts.held()

    def begin(
        self, params: Mapping[str, Any], kept: Kept, update: int, position: Mapping[str, Any]
    ) -> None:
        """Begin with the parameters of rank 0, and the same of all else."""
        if self.alone:
            return
        where = json.dumps(position, sort_keys=True).encode()
        places = {place.tobytes() for place in self._all(where)}
        if len(places) > 1:
            differing = " and ".join(place.decode() for place in sorted(places)[:2])
            raise ValueError(f"data must be the same on all ranks, got {differing}")
        for array in flatten("model.params", params).values():
            self.comm.broadcast_(array)
        self.check(params, kept, update)

    def check(self, params: Mapping[str, Any], kept: Kept, update: int) -> None:
        """Raise RuntimeError on all ranks if they differ in what must be the same, bit for bit."""
        if self.alone:
            return
        digest = hashlib.blake2b(str(update).encode())
        optim = {f"optim {name}": array for name, array in kept().items()}
        for name, array in sorted((flatten("model.params", params) | optim).items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
        parts = self._all(digest.digest())
        if any(other.tobytes() != parts[0].tobytes() for other in parts):
            raise RuntimeError(
                f"the ranks have diverged: model or optimiser differ after {update} updates; do "
                "all see the same folder of checkpoints, and change params in fit alone?"
            )

    def _all(self, packed: bytes) -> list[Array]:
        """Return what all ranks tell, as rows of bytes."""
        return self.comm.allgatherv(np.frombuffer(packed, np.uint8))

    def mean(
        self, params: Mapping[str, Any], grads: Any, loss: float, terms: int, tokens: int
    ) -> tuple[Any, float, int]:
        """Return gradient, loss and tokens of the whole batch.

        Loss and gradient of a rank are means over its own terms. Means of these means would give
        those of a rank with short rows too much weight, so each counts as often as it has terms.
        """
        sums = np.array([terms, loss * terms if terms else 0.0, tokens], np.float64)
        self.comm.allreduce_(sums)
        total = max(float(sums[0]), 1.0)
        arrays = flatten("model.params", params)
        own = flatten("grads", grads, scalars=True, rows=True) if terms else {}
        gradients = self._arena.sum(self.comm, arrays, own, terms / total, self.rows)
        return nested(params, gradients), float(sums[1]) / total, int(sums[2])

    def agree(self, seconds: float, save: bool, *stop: bool) -> tuple[float, bool, list[bool]]:
        """Return the clock of rank 0, whether it wants to save, and what holds on any rank."""
        packed = np.array([seconds * self.first, save and self.first, *stop], np.float64)
        self.comm.allreduce_(packed)
        return float(packed[0]), bool(packed[1]), [bool(flag) for flag in packed[2:]]

    def of_first(self, make: Callable[[], Any]) -> Any:
        """Return what a function returns on rank 0, which alone calls it; JSON can say it.

        What it raises there, the others raise as RuntimeError: all go the same way.
        """
        if self.alone:
            return make()
        packed, failed = b"", None
        if self.first:
            try:
                packed = json.dumps([make()]).encode()
            except Exception as error:  # noqa: BLE001  raised again when the others know
                packed, failed = json.dumps(f"{type(error).__name__}: {error}").encode(), error
        answer = json.loads(self._all(packed)[0].tobytes())
        if failed is not None:
            raise failed
        if isinstance(answer, str):
            raise RuntimeError(f"rank 0 has failed: {answer}")
        return answer[0]

    def gathered(
        self, tensors: dict[str, Array], state: dict[str, Any]
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return what a checkpoint holds, on rank 0 with what is each rank's own."""
        if self.alone:
            return tensors, state
        from safetensors.numpy import load, save

        own = {name: array for name, array in tensors.items() if name.startswith("carry.")}
        skeleton = json.dumps({name: state[name] for name in sorted(_OWN)}).encode()
        packed = save({**own, "state": np.frombuffer(skeleton, np.uint8)})
        parts = self._all(packed)
        tensors, state = dict(tensors), {**state, "ranks": []}
        for rank, row in enumerate(parts[1:], 1):
            theirs = load(row.tobytes())
            state["ranks"].append(json.loads(theirs.pop("state").tobytes()))
            tensors |= {f"rank{rank}.{name}": array for name, array in theirs.items()}
        return tensors, state

    def own(self, checkpoint: Checkpoint) -> tuple[Checkpoint, bool]:
        """Return a checkpoint as this rank would have written it alone, and whether it could.

        One of another number of ranks cannot be divided anew: states carried from batch to batch
        begin at zero then, and generators need new streams.
        """
        others = checkpoint.state.get("ranks", [])
        if not isinstance(others, list) or any(set(_keys(each)) != _OWN for each in others):
            raise CheckpointError(
                checkpoint.path, "its state of the ranks is not one", "take another"
            )
        if self.alone and not others:
            return checkpoint, True
        if len(others) + 1 != self.comm.size:
            state = {**checkpoint.state, "carry": None}
            return Checkpoint(checkpoint.path, checkpoint.tensors, state), False
        if self.first:
            return checkpoint, True
        start = f"rank{self.comm.rank}."
        carried = {
            name.removeprefix(start): array
            for name, array in checkpoint.tensors.items()
            if name.startswith(start)
        }
        state = {**checkpoint.state, **others[self.comm.rank - 1]}
        return Checkpoint(checkpoint.path, checkpoint.tensors | carried, state), True


_OWN = {"carry", "rng"}  # what a checkpoint keeps of each rank


def _keys(value: Any) -> Any:
    return value if isinstance(value, dict) else ()


class Arena:
    """The gradients of all arrays in one stretch of memory a dtype, so that few calls add them.

    Parameters
    ----------
    halved : bool
        Whether they are sent as bfloat16.
    """

    def __init__(self, halved: bool) -> None:
        self._halved = halved
        self._made_for: list[Any] = []
        self._rows: list[Array] = []
        self._views: dict[str, Array] = {}

    def sum(
        self,
        comm: Comm,
        arrays: Mapping[str, Array],
        own: Mapping[str, Any],
        factor: float,
        mode: str | None,
    ) -> dict[str, Any]:
        """Return the sums over all ranks of gradients times factor; who has none adds nothing.

        mode is how gradients of tables come, the same on all ranks.
        """
        large = mode == "lazy" or any(len(a) >= LARGE for a in arrays.values() if a.ndim == 2)
        rows = _gathered_rows(comm, arrays, own) if mode is not None and large else {}
        sums: dict[str, Any] = {}
        for name, parts in rows.items():
            if sum(map(len, parts)) < len(arrays[name]):
                mine = own.get(name)
                sums[name] = _sum_by_rows(comm, arrays[name], parts, mine, factor, self._halved)
                sums[name].lazy = mode == "lazy"
        self._make_for({name: array for name, array in arrays.items() if name not in sums})
        for name, view in self._views.items():
            gradient = own.get(name)
            if type(gradient) is RowGradient:
                view.fill(0)
                view[gradient.rows] = gradient.values * factor
            elif gradient is None:
                view.fill(0)
            else:
                np.multiply(gradient, factor, out=view)
        for row in self._rows:
            step = BUCKET // row.itemsize
            for start in range(0, row.size, step):
                part = row[start : start + step]
                if self._halved:
                    part[...] = _sum_of_halved(comm, part)
                else:
                    comm.allreduce_(part)
        sums |= self._views
        if mode == "lazy":
            for name in rows.keys() & self._views.keys():
                which = np.unique(np.concatenate(rows[name]))
                sums[name] = RowGradient(which, sums[name][which], arrays[name].shape, True)
        return sums

    def _make_for(self, arrays: dict[str, Array]) -> None:
        shapes = [(name, array.shape, array.dtype) for name, array in arrays.items()]
        if shapes == self._made_for:
            return
        self._made_for, self._rows, self._views = shapes, [], {}
        for dtype in dict.fromkeys(array.dtype for array in arrays.values()):
            chosen = {name: a for name, a in arrays.items() if a.dtype == dtype}
            row = np.empty(sum(array.size for array in chosen.values()), dtype)
            self._rows.append(row)
            start = 0
            for name, array in chosen.items():
                self._views[name] = row[start : start + array.size].reshape(array.shape)
                start += array.size


def _gathered_rows(
    comm: Comm, arrays: Mapping[str, Array], own: Mapping[str, Any]
) -> dict[str, list[Array]]:
    """Return which rows each rank has, of the gradients that no rank has as a whole array."""
    mine = [
        len(own[name].rows) if type(own.get(name)) is RowGradient else -(name in own)
        for name in arrays
    ]
    counts = np.stack(comm.allgatherv(np.array(mine, np.int64)))
    nothing = np.zeros(0, np.int64)
    return {
        name: comm.allgatherv(own[name].rows if name in own else nothing)
        for name, here in zip(arrays, counts.transpose(), strict=True)
        if here.min() >= 0 and here.max() > 0
    }


def _sum_by_rows(
    comm: Comm,
    array: Array,
    rows: list[Array],
    own: RowGradient | None,
    factor: float,
    halved: bool,
) -> RowGradient:
    """Return the sum of the ranks' rows, in the order of the ranks."""
    width = array.shape[1]
    mine = np.zeros(0, array.dtype) if own is None else (own.values * factor).reshape(-1)
    mine = mine.astype(array.dtype, copy=False)
    if halved:
        values = [_whole(each).astype(array.dtype) for each in comm.allgatherv(_half(mine))]
    else:
        values = comm.allgatherv(mine)
    parts = zip(rows, values, strict=True)
    return summed([RowGradient(r, v.reshape(-1, width), array.shape) for r, v in parts])


def _sum_of_halved(comm: Comm, row: Array) -> Array:
    """Return the sum of all ranks' rows, sent as bfloat16 and added in float32, rank by rank.

    Each rank adds one part of all rows, and tells the others: half of the bytes of a sum in
    float32, for any number of ranks.
    """
    sent = np.zeros((comm.size, -(-row.size // comm.size)), np.uint16)
    sent.reshape(-1)[: row.size] = _half(row)
    first, *others = comm.alltoall(sent)
    total = _whole(first)
    for other in others:
        total += _whole(other)
    return _whole(np.concatenate(comm.allgatherv(_half(total))))[: row.size]


def _half(row: Array) -> Array:
    """Return the bits of numbers as bfloat16, rounded to the nearest, ties to even."""
    halves = np.empty(row.size, np.uint16)
    for start in range(0, row.size, _IN_CACHE):
        part = np.asarray(row[start : start + _IN_CACHE], np.float32)
        bits = part.view(np.uint32)
        rounded = bits >> 16
        rounded &= 1
        rounded += 0x7FFF
        rounded += bits
        rounded >>= 16
        halves[start : start + _IN_CACHE] = rounded
        absent = np.isnan(part)
        if absent.any():
            halves[start : start + _IN_CACHE][absent] = 0x7FC0
    return halves


def _whole(bits: Array) -> Array:
    """Return bfloat16 as float32."""
    wide = np.empty(bits.size, np.uint32)
    np.left_shift(bits, 16, out=wide, dtype=np.uint32)
    return wide.view(np.float32)
