"""``fastrnn quantize``: a smaller and faster file of a model or a layer, and what it cost."""

from pathlib import Path
from typing import Any

from fastrnn import models
from fastrnn.cli import _scores
from fastrnn.cli.commands.evaluate import figures_of
from fastrnn.cli.commands.export import LAYERS
from fastrnn.io._layer_file import saved_layer
from fastrnn.models._parts.model import model_file


def run_quantize(
    path: Path, out: Path, *, precision: str, data: Path | None, references: Path | None,
    batch_size: int, own: dict[str, Any],
) -> None:  # fmt: skip
    """Write the file; print sizes and, with data, the figures of both models on them."""
    path = model_file(path)
    if data is None and (references is not None or own):
        name = min(own) if references is None else "references"
        raise ValueError(f"--{name} is for figures on data: give --data")
    if out.exists() and out.samefile(path):
        raise ValueError(f"--out is {path} itself, whose weights would be lost: name another file")
    before: Any = saved_layer(path, LAYERS.values())
    if before is not None and data is not None:
        raise ValueError(f"{path} holds a layer, which has no figures: leave --data away")
    if before is None:
        before = models.load(path)
    after = before.quantize(precision)
    scores = []
    if data is not None:  # before the file is written: nothing is left behind a refusal
        for when, model in (("before", before), ("after", after)):
            figures = figures_of(
                model, path, data, references=references, batch_size=batch_size, own=own
            )
            scores.append(f"{when:>6}: {_scores.line_of(figures)}")
    after.save(out)
    sizes = [file.stat().st_size for file in (path, out)]
    print(f"{path}: {type(before).__name__}, {sizes[0]:,} bytes, weights {before.nbytes:,}")
    print(f"{out}: {precision}, {sizes[1]:,} bytes, weights {after.nbytes:,}")
    for line in scores:
        print(line)
