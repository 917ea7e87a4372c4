"""A model of a few numbers with everything that a resume has to bring back: state, noise, order."""

import hashlib
import sys
from collections.abc import Iterator
from typing import Any

import autograd.numpy as anp
import numpy as np

from fastrnn.train import Adam, Trainer

T, N, I, H = 4, 3, 2, 5


class Toy:
    """A tanh network over time that predicts its input, with noise from rng and a carried state."""

    def __init__(self, seed: int = 0, dtype: type = np.float32) -> None:
        rng = np.random.default_rng(seed)

        def draw(*shape: int) -> np.ndarray:
            return (0.4 * rng.standard_normal(shape)).astype(dtype)

        self.config: dict[str, Any] = {"cell": "rnn", "sizes": (I, H)}
        self.params = {
            "cell": {"w_ih": draw(H, I), "w_hh": draw(H, H), "b_ih": draw(H)},
            "out": {"weight": draw(I, H)},
        }

    def loss_with_state(self, params: Any, batch: Any, state: Any, rng: Any) -> Any:
        cell, dtype = params["cell"], self.params["out"]["weight"].dtype
        h = np.zeros((N, H), dtype) if state is None else state["h"][0]
        noise = (1 + 0.1 * rng.standard_normal((T, N, H))).astype(dtype)
        total = 0.0
        for i in range(T):
            pre = anp.dot(batch[i], cell["w_ih"].T) + anp.dot(h, cell["w_hh"].T) + cell["b_ih"]
            h = anp.tanh(pre) * noise[i]
            total = total + anp.mean((anp.dot(h, params["out"]["weight"].T) - batch[i]) ** 2)
        return total, {"h": (h,), "none": None}

    def tokens(self, batch: np.ndarray) -> int:
        return batch.shape[0] * batch.shape[1]

    def evaluate(self, batches: Any) -> dict[str, float]:
        found = [self.loss_with_state(self.params, b, None, np.random.default_rng(0))[0]
                 for b in batches]  # fmt: skip
        return {"loss": float(np.mean(found)), "worst": float(np.max(found))}


class Shuffled:
    """Batches whose order depends on the epoch, and that keep their own position."""

    def __init__(self, count: int = 7) -> None:
        self.count, self.epoch, self.at = count, 0, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[np.ndarray]:
        while self.at < self.count:
            order = np.random.default_rng((3, self.epoch)).permutation(self.count)
            self.at += 1
            yield batches(self.count)[order[self.at - 1]]
        self.epoch, self.at = self.epoch + 1, 0

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "at": self.at, "count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        if state["count"] != self.count or not 0 <= state["at"] <= self.count:
            raise ValueError("state is of other data")
        np.random.default_rng((3, state["epoch"]))
        self.epoch, self.at = state["epoch"], state["at"]


def batches(count: int = 7) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return list(rng.standard_normal((count, T, N, I)).astype(np.float32))


def trainer(model: Toy, **options: Any) -> Trainer:
    """A trainer with a seeded generator and nothing to see."""
    options = {"progress": False, "max_norm": 1.0, "log_every": 5, **options}
    rng, optimiser = np.random.default_rng(2), options.pop("optimiser", None) or Adam(lr=0.01)
    return Trainer(model, optimiser, rng=rng, **options)


def flat(params: Any) -> list[np.ndarray]:
    """The arrays of a nested dict, by the order of their names."""
    if isinstance(params, dict):
        return [array for name in sorted(params) for array in flat(params[name])]
    return [params]


def digest(*trees: Any) -> str:
    """The SHA-256 of all bits of these nested dicts."""
    arrays = [np.ascontiguousarray(array) for tree in trees for array in flat(tree)]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def main(folder: str, updates: int, save_every: int) -> None:
    """Train, going on where a run before this one was killed; print what came out."""
    model = Toy()
    made = trainer(model, checkpoint=folder, save_every=save_every, metrics=f"{folder}.jsonl")
    history = made.fit(
        Shuffled(), updates=updates, validation=batches(2), validate_every=11, resume=True
    )
    losses = [record["loss"] for record in history.records if "loss" in record]
    print(digest(model.params, made.optimiser.state_dict()), losses[-1])


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except KeyboardInterrupt:
        sys.exit(130)
