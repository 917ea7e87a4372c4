"""Pairs of modules, torch.nn's and ours with equal weights, run side by side with all gradients."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

import fastrnn.torch
from helpers.chosen import recorded_kinks
from helpers.tolerances import KINK

CELLS = ("LSTM", "GRU", "RNN_tanh", "RNN_relu")


@dataclass(frozen=True)
class Configuration:
    """One random pair of modules and what is fed to them."""

    cell: str
    T: int
    N: int
    I: int
    H: int
    layers: int
    bidirectional: bool
    bias: bool
    batch_first: bool
    state: str
    form: str  # padded, one, packed sorted, packed
    seed: int
    proj: int = 0

    def __str__(self) -> str:
        return "-".join(f"{f.name}={getattr(self, f.name)}" for f in fields(self))


def draw(seed: int) -> Configuration:
    """A configuration that depends on the seed alone, and that no rounding takes over a kink."""
    c = _draw_once(seed)
    for attempt in range(100):
        tried = replace(c, seed=seed + 1000 * attempt)  # other numbers in the same modules
        if c.cell != "RNN_relu" or nearest_kink(tried) > KINK:
            return tried
    raise AssertionError(f"no smooth draw for {c}")


def nearest_kink(c: Configuration) -> float:
    """How near any pre-activation of relu comes to 0, in float64."""
    _, here = pair(c, torch.float64)
    with recorded_kinks() as near, fastrnn.use_backend("reference"):
        run(here, c, feed(c, torch.float64))
    assert len(near) > 1, "the twin was not asked"
    return min(near)


def _draw_once(seed: int) -> Configuration:
    rng = np.random.default_rng(seed)
    cell = CELLS[seed % len(CELLS)]
    H = int(rng.integers(1, 40))
    proj = int(rng.integers(1, H)) if cell == "LSTM" and H > 1 and rng.random() < 0.25 else 0
    return Configuration(
        cell, int(rng.integers(1, 20)), int(rng.integers(1, 9)), int(rng.integers(1, 30)), H,
        int(rng.integers(1, 4)), bool(rng.integers(2)), bool(rng.integers(2)),
        bool(rng.integers(2)), str(rng.choice(["none", "given"])),
        str(rng.choice(["padded", "one", "packed sorted", "packed"])), seed, proj,
    )  # fmt: skip


def pair(c: Configuration, dtype: Any) -> tuple[Any, Any]:
    """torch.nn's module and ours, with equal weights: in float32 those of float64, rounded."""
    name, _, nonlinearity = c.cell.partition("_")
    options: dict[str, Any] = {"num_layers": c.layers, "bias": c.bias, "dtype": torch.float64}
    options |= {"batch_first": c.batch_first, "bidirectional": c.bidirectional}
    options |= {"nonlinearity": nonlinearity} if nonlinearity else {}
    options |= {"proj_size": c.proj} if c.proj else {}
    torch.manual_seed(c.seed)
    there = getattr(torch.nn, name)(c.I, c.H, **options)
    here = getattr(fastrnn.torch, name)(c.I, c.H, **options)
    here.load_state_dict(there.state_dict())
    return there.to(dtype), here.to(dtype)


def feed(c: Configuration, dtype: Any) -> tuple[Any, Any, Any]:
    """The input's leaf, lengths or None, and leaves of the states or None."""
    rng = np.random.default_rng([c.seed, 1])
    leaf = lambda *shape: torch.from_numpy(rng.standard_normal(shape)).to(dtype)  # noqa: E731
    rows = () if c.form == "one" else (c.N,)
    steps = (c.N, c.T) if c.batch_first else (c.T, c.N)
    x = leaf(c.T, c.I) if c.form == "one" else leaf(*steps, c.I)
    lengths = rng.integers(1, c.T + 1, c.N) if "packed" in c.form else None
    if lengths is not None and "sorted" in c.form:
        lengths = -np.sort(-lengths)
    count = c.layers * (1 + c.bidirectional)
    state = None
    if c.state == "given":
        h = leaf(count, *rows, c.proj or c.H)
        state = (h, leaf(count, *rows, c.H)) if c.cell == "LSTM" else h
    return x, lengths, state


def run(module: Any, c: Configuration, fed: tuple[Any, Any, Any]) -> dict[str, np.ndarray]:
    """Outputs, final states and every gradient of one of the two."""
    x, lengths, state = fed
    x = x.clone().requires_grad_()
    pair_of_states = isinstance(state, tuple)
    states = [] if state is None else list(state) if pair_of_states else [state]
    states = [s.clone().requires_grad_() for s in states]
    given = tuple(states) if pair_of_states else states[0] if states else None
    source = x
    if lengths is not None:
        source = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.from_numpy(lengths), c.batch_first, enforce_sorted="sorted" in c.form
        )
    y, final = module(source, given)
    results = {}
    if lengths is not None:
        y, found = torch.nn.utils.rnn.pad_packed_sequence(y, c.batch_first)
        results["lengths"] = found.numpy()
    outputs = [y, *(final if isinstance(final, tuple) else (final,))]
    generator = torch.Generator().manual_seed(c.seed)
    loss = sum(
        (o * torch.randn(o.shape, generator=generator, dtype=o.dtype)).sum() for o in outputs
    )
    module.zero_grad()
    loss.backward()
    results |= {f"output {k}": o.detach().numpy() for k, o in enumerate(outputs)}
    leaves = {"x": x} | dict(module.named_parameters())
    leaves |= {f"state {k}": s for k, s in enumerate(states)}
    return results | {f"d{name}": leaf.grad.numpy().copy() for name, leaf in leaves.items()}


def worst(c: Configuration, dtype: Any) -> float:
    """The largest difference of any result of the two, of what is 1 or less as it is."""
    there, here = pair(c, dtype)
    fed = feed(c, dtype)
    expected, actual = run(there, c, fed), run(here, c, fed)
    assert expected.keys() == actual.keys()
    return max(
        float(np.max(np.abs(actual[name] - array) / np.maximum(np.abs(array).max(), 1), initial=0))
        for name, array in expected.items()
    )
