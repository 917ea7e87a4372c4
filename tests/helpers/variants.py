"""Problems of the cells' variants: projection, full peepholes, masks, clip, activations."""

import dataclasses
from typing import Any

import numpy as np

import fastrnn
from fastrnn import functional, reference

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@dataclasses.dataclass(frozen=True)
class Variant:
    """One cell with its options; `masks` has a letter for each mask: m h c."""

    family: str
    options: tuple[tuple[str, Any], ...] = ()
    peephole: str = ""
    P: int | None = None
    masks: str = ""

    def __str__(self) -> str:
        words = [self.family, *(f"{name}={value}" for name, value in self.options)]
        words += [f"{self.peephole}-peephole"] if self.peephole else []
        words += [f"P{self.P}"] if self.P else []
        return "-".join([*words, *([f"masks-{self.masks}"] if self.masks else [])])


def _all() -> list[Variant]:
    lstm = [
        Variant("lstm", peephole=peephole, P=P, masks=masks)
        for peephole in ("", "diagonal", "full")
        for P in (None, 5)
        for masks in ("", "m", "mh", "mhc")
        if not (peephole and "c" in masks) and (peephole == "full" or P or masks)
    ]
    smooth = ("softplus", ("scaled_tanh", 0.7, 0.4), "softsign")
    steep = (("hard_sigmoid", 0.3, 0.4), "elu", ("affine", 0.5, 0.1))
    kinked = ("sigmoid", "LeakyRelu", ("thresholded_relu", 0.05))
    lstm += [Variant("lstm", (("activations", chosen),)) for chosen in (smooth, steep, kinked)]
    lstm += [Variant("lstm", (("clip", 0.3),), P=3, peephole="full", masks="mh")]
    lstm += [Variant("lstm", (("gates", "io"), ("activations", smooth)), P=1, masks="mhc")]
    gru = [
        Variant("gru", (("reset_after", after), *more), masks=masks)
        for after in (True, False)
        for masks, more in (
            ("m", ()), ("h", ()), ("mh", (("activations", smooth[:2]),)), ("", (("clip", 0.3),)),
        )
    ]  # fmt: skip
    rnn = [
        Variant("rnn", (("nonlinearity", chosen), ("clip", clip)), masks=masks)
        for chosen, clip, masks in (
            ("tanh", None, "m"), ("relu", None, "h"), ("softsign", 0.3, "mh"),
            (("leaky_relu", 0.2), None, ""),
        )
    ]  # fmt: skip
    return lstm + gru + rnn


VARIANTS = _all()


@dataclasses.dataclass(frozen=True)
class Sizes:
    """T N I H, and how the rows run."""

    T: int = 6
    N: int = 5
    I: int = 4
    H: int = 7
    ragged: bool = False
    reverse: bool = False


def arrays(variant: Variant, sizes: Sizes, dtype: Any, seed: int = 0) -> dict[str, Any]:
    """The arguments of the family's function, drawn."""
    rng = np.random.default_rng(seed)
    T, N, I, H = sizes.T, sizes.N, sizes.I, sizes.H
    P, rows = variant.P or H, GATES[variant.family] * H

    def draw(*shape: int) -> np.ndarray:
        return rng.uniform(-0.6, 0.6, shape).astype(dtype)

    found: dict[str, Any] = dict(variant.options)
    found |= {"x": draw(T, N, I), "w_ih": draw(rows, I), "w_hh": draw(rows, P)}
    found |= {"b_ih": draw(rows), "b_hh": draw(rows), "h0": draw(N, P)}
    if variant.family == "lstm":
        found["c0"] = draw(N, H)
    if variant.P:
        found["w_hr"] = draw(P, H)
    if variant.peephole:
        found["w_peephole"] = draw(3, H) if variant.peephole == "diagonal" else draw(3 * H, H)
    if variant.masks:
        kept = rng.random((N, P)) > 0.3
        found["masks"] = fastrnn.Masks(
            (kept / 0.7).astype(dtype) if "m" in variant.masks else None,
            (rng.random((T, N, P)) > 0.5).astype(dtype) if "h" in variant.masks else None,
            rng.random((T, N, H)).astype(dtype) if "c" in variant.masks else None,
        )
    if sizes.ragged:
        found["lengths"] = rng.integers(0, T + 1, N)
    return found | {"reverse": sizes.reverse}


def upstream(variant: Variant, sizes: Sizes, dtype: Any) -> dict[str, np.ndarray]:
    """Gradients of a loss by y and the final states."""
    rng = np.random.default_rng(9)
    P = variant.P or sizes.H
    shapes = {"dy": (sizes.T, sizes.N, P), "dh_n": (sizes.N, P)}
    if variant.family == "lstm":
        shapes["dc_n"] = (sizes.N, sizes.H)
    return {name: rng.uniform(-1, 1, shape).astype(dtype) for name, shape in shapes.items()}


def run(
    module: Any, variant: Variant, given: dict[str, Any], back: dict[str, Any], **more: Any
) -> dict[str, np.ndarray]:
    """All results and gradients of the core (`functional`) or the twin (`reference`)."""
    y, state, tape = getattr(module, f"{variant.family}_forward")(**given, **more)
    grads = getattr(module, f"{variant.family}_backward")(tape, **back)
    found = {"y": y}
    found |= dict(zip(("h_n", "c_n"), state, strict=True)) if variant.family == "lstm" else {}
    found |= {} if variant.family == "lstm" else {"h_n": state}
    fields = {f"d{name}": getattr(grads, name) for name in grads.__dataclass_fields__}
    return found | {name: array for name, array in fields.items() if array is not None}


def core_and_twin(
    variant: Variant, sizes: Sizes, dtype: Any, threads: int = 1, **options: Any
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The same problem on both backends."""
    given, back = arrays(variant, sizes, dtype), upstream(variant, sizes, dtype) | options
    core = run(functional, variant, given, back, num_threads=threads)
    return core, run(reference, variant, given, back)
