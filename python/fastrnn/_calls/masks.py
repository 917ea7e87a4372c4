"""What chance does to one layer and direction: masks on h, and what zoneout keeps."""

from typing import TYPE_CHECKING, Any, NamedTuple

from fastrnn._checks import DType, exact

if TYPE_CHECKING:
    from fastrnn._calls.kinds import Kind


class Masks(NamedTuple):
    """The masks of one call; None where there is none.

    Attributes
    ----------
    h_mask : ndarray or None, (N, P)
        Multiplies h on its way into the recurrent product, the same at every step.
    h_keep, c_keep : ndarray or None, (T, N, P) and (T, N, H)
        The part of the old h, and c, that stays: 1 keeps all of it, 0 none.
    w_mask : ndarray or None, (G·H, P)
        Multiplies w_hh.

    Notes
    -----
    With h~, c~ what the cell gives for W_hh (h ∘ h_mask), and P the columns of h::

        h' = h_keep ∘ h + (1 − h_keep) ∘ h~
        c' = c_keep ∘ c + (1 − c_keep) ∘ c~

    All are indexed as x is in time and batch, whatever `batch_first` and `reverse` say of it:
    (T, N, ·). Arrays broadcast with a step of 0 serve too.

    References
    ----------
    Y. Gal, Z. Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks", 2016, equation 7; D. Krueger et al., "Zoneout: Regularizing RNNs by Randomly
    Preserving Hidden Activations", 2017, section 3.1; w_mask: S. Merity et al., "Regularizing and
    Optimizing LSTM Language Models", 2018, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> x, w_ih, w_hh = np.ones((5, 2, 3)), np.ones((4, 3)), np.ones((4, 4))
    >>> frozen = fastrnn.Masks(h_keep=np.ones((5, 2, 4)))
    >>> bool((fastrnn.rnn(x, w_ih, w_hh, masks=frozen)[0] == 0).all())
    True
    """

    h_mask: Any = None
    h_keep: Any = None
    c_keep: Any = None
    w_mask: Any = None


NO_MASKS = Masks()


def check_masks(
    kind: "Kind", masks: Any, sizes: tuple[int, int, int, int], dtype: DType, peephole: bool
) -> Masks:
    """Return the masks of one call, checked; sizes are T, N, H, P."""
    if not isinstance(masks, Masks):
        raise TypeError(f"masks must be a fastrnn.Masks, got {type(masks).__name__}")
    T, N, H, P = sizes
    letter = "P" if P != H else "H"
    rules = {
        "h_mask": ((N, P), f"(N, {letter})"),
        "h_keep": ((T, N, P), f"(T, N, {letter})"),
        "c_keep": ((T, N, H), "(T, N, H)"),
        "w_mask": ((kind.gates * H, P), f"({kind.gates}·H, {letter})"),
    }
    if masks.c_keep is not None and not kind.cell_state:
        raise ValueError(f"masks.c_keep is for an LSTM, and this is {kind.title}")
    if masks.c_keep is not None and peephole:
        raise ValueError("masks.c_keep, zoneout of c, is not supported together with w_peephole")
    return Masks(*(
        None if value is None
        else exact(f"masks.{name}", value, shape, dtype, symbols, kind.title, H)
        for value, (name, (shape, symbols)) in zip(masks, rules.items(), strict=True)
    ))  # fmt: skip
