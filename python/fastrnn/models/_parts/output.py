"""The loss of an output layer over symbols: by all of them, or while learning by a sample."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn import ops
from fastrnn._checks import choice, integer
from fastrnn._quantize import Matrix
from fastrnn.models._parts.reader import NOTHING

if TYPE_CHECKING:
    from numpy.random import Generator

PROPOSALS = ("log_uniform", "uniform")


class OutputLoss:
    """−ln p of symbols under the softmax of an output layer.

    Parameters
    ----------
    vocab : int
        V.
    loss : {"full", "sampled"}
    num_samples : int
    proposal : {"log_uniform", "uniform"}
        As the models say.

    Attributes
    ----------
    config : dict
        The last three, for the settings of a model; empty for the whole softmax.
    table_rows : str
        How a trainer wants gradients of tables, as `ops.value_and_grad` says.
    """

    def __init__(self, vocab: int, loss: Any, num_samples: Any, proposal: Any) -> None:
        self._sampled = choice("loss", loss, ("full", "sampled")) == "sampled"
        self.table_rows = "lazy" if self._sampled else "exact"
        self.config: dict[str, Any] = {}
        for name, value in (("num_samples", num_samples), ("proposal", proposal)):
            if value is not None and not self._sampled:
                raise ValueError(f"{name} must go with loss='sampled', got {value!r}")
        if not self._sampled:
            return
        self._count = integer("num_samples", 2048 if num_samples is None else num_samples, 1)
        drawn = "log_uniform" if proposal is None else choice("proposal", proposal, PROPOSALS)
        self.config = {"loss": loss, "num_samples": self._count, "proposal": drawn}
        # Zipf's law, of symbols by their rank.
        zipf = drawn == "log_uniform"
        self._proposal = np.log1p(1 / np.arange(1, vocab + 1)) if zipf else None

    def refuse_smoothing(self, label_smoothing: float) -> None:
        """Refuse what a sample says nothing of: symbols that are not in it."""
        if self._sampled and label_smoothing:
            raise ValueError(
                f"label_smoothing must be 0 with loss='sampled', got {label_smoothing!r}"
            )

    def samples(self, rng: "Generator | None") -> bool:
        """Return whether a sample is drawn: of learning, which has an rng, and not of measuring."""
        return self._sampled and rng is not None

    def __call__(
        self,
        y: Any,
        weight: Any,
        bias: Any,
        targets: Any,
        *,
        reduction: str,
        rng: "Generator | None" = None,
        label_smoothing: float = 0.0,
    ) -> Any:
        """Return the loss of features (…, H) whose targets (…) may be NOTHING."""
        quantised = isinstance(weight, Matrix)
        if quantised:  # such a model measures, and does not learn
            return ops.softmax_cross_entropy(
                ops.linear(y, weight, bias), targets, ignore_index=NOTHING, reduction=reduction,
                label_smoothing=label_smoothing,
            )  # fmt: skip
        if rng is None or not self._sampled:
            return ops.linear_cross_entropy(
                y, weight, bias, targets, ignore_index=NOTHING, reduction=reduction,
                label_smoothing=label_smoothing,
            )  # fmt: skip
        return ops.sampled_softmax(
            y, weight, bias, targets, num_samples=self._count, rng=rng, ignore_index=NOTHING,
            proposal=self._proposal, reduction=reduction,
        )  # fmt: skip


FULL = OutputLoss(0, "full", None, None)
