"""The weights of a layer by name: read them, replace them, save them, load them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastrnn import _core
from fastrnn._checks import Array, flag
from fastrnn._layers.direction import Direction
from fastrnn._layers.part import Part

_last_edit = object()


def arrays_were_edited() -> None:
    """Say that an optimiser has changed arrays in place, which may be any layer's weights."""
    global _last_edit
    _last_edit = object()


class Ready(NamedTuple):
    """Checked weights; immutable, so that threads share it while another one is being built."""

    isa: str  # what they are packed for
    edit: object  # the last edit in place when they were packed
    ids: tuple[int, ...]  # of the objects in params, to see at once that they are still the same
    given: tuple[Any, ...]  # these objects; while they live nothing else has their ids
    parts: list[list[Part]]


class Params:
    """The part of a layer that owns its weights.

    Attributes
    ----------
    params : dict of str to ndarray
        The weights under PyTorch's names. You may replace an entry; an optimiser of `fastrnn.train`
        may change the arrays in place; after an edit of your own in place call `repack`.
    """

    params: dict[str, Array]
    _directions: list[list[Direction]]

    def __init__(self) -> None:
        self.params = {}
        each = self._each()
        self._all_names = [name for direction in each for name in direction.shapes]
        # One layer, one direction, and a cell that the functions have.
        self._alone = len(each) == 1 and not each[0].kind.layer_norm
        self._ready: dict[bool, Ready] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_ready": {}}  # packed weights are made anew in a copy

    def _each(self) -> list[Direction]:
        """Return every layer and direction in the order of the states."""
        return [direction for layer in self._directions for direction in layer]

    def _parts(self, packed: bool) -> list[list[Part]]:
        """Return every layer and direction ready to run, built anew if params or ISA changed."""
        params = self.params
        isa, edit = (_core.isa(), _last_edit) if packed else ("", None)
        ready = self._ready.get(packed)
        if (
            ready
            and ready.isa == isa
            and ready.edit is edit
            and ready.ids == tuple(map(id, params.values()))
        ):
            return ready.parts
        self._check_names(params, self._names())
        given = tuple(params.values())
        parts = self._build(params, packed)
        self._ready[packed] = Ready(isa, edit, tuple(map(id, given)), given, parts)
        return parts

    def _names(self) -> list[str]:
        """Return the names of all weights in the order of `params`."""
        return self._all_names

    @staticmethod
    def _check_names(params: Iterable[str], names: list[str]) -> None:
        if list(params) == names:
            return
        absent, extra = sorted({*names} - {*params}), sorted({*params} - {*names})
        if absent or extra:
            raise ValueError(f"params lacks {absent} and has {extra} too many")

    def _build(self, params: Mapping[str, Any], packed: bool) -> list[list[Part]]:
        """Return every layer and direction with these weights, checked."""
        return [[d.part(params, packed) for d in layer] for layer in self._directions]

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of all weights by name, with PyTorch's names and shapes.

        Returns
        -------
        dict of str to ndarray

        Examples
        --------
        >>> import fastrnn
        >>> list(fastrnn.GRU(3, 4).state_dict())
        ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
        """
        return {name: np.array(array) for name, array in self.params.items()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> tuple[list[str], list[str]]:
        """Replace the weights by copies of those in a dict; all of them, or none if one is wrong.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            Also PyTorch's, tensors included. Each of the layer's dtype and of the right shape.
        strict : bool
            Refuse names that the layer lacks, and a dict that lacks names of the layer.

        Returns
        -------
        missing, unexpected : list of str
            Names that the dict lacks, and names that the layer lacks; empty when strict.

        Raises
        ------
        TypeError
            state_dict is no mapping, an entry is no array of the layer's dtype, or strict no bool.
        ValueError
            An entry has the wrong shape, or `strict` and the names differ.

        Examples
        --------
        >>> import fastrnn
        >>> a, b = fastrnn.GRU(3, 4), fastrnn.GRU(3, 4)
        >>> a.load_state_dict(b.state_dict())
        ([], [])
        >>> bool((a.params["weight_hh_l0"] == b.params["weight_hh_l0"]).all())
        True
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping, got {type(state_dict).__name__}")
        owners = {name: direction for direction in self._each() for name in direction.shapes}
        missing = [name for name in owners if name not in state_dict]
        unexpected = [name for name in state_dict if name not in owners]
        if flag("strict", strict) and (missing or unexpected):
            raise ValueError(f"state_dict lacks {missing} and has {unexpected} too many")
        fresh = {
            name: np.array(direction.check(name, state_dict[name]), order="C")
            for name, direction in owners.items()
            if name in state_dict
        }
        self.params.update(fresh)
        self.repack()
        return missing, unexpected

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Replace all weights by copies of those in a dict with the layer's names.

        Parameters
        ----------
        params : mapping of str to array_like
            The names, shapes and dtype of `params`.

        Raises
        ------
        TypeError, ValueError
            As `load_state_dict`, which this is with ``strict=True``.

        Examples
        --------
        >>> import fastrnn
        >>> rnn = fastrnn.RNN(3, 4)
        >>> rnn.set_params({name: 0.5 * array for name, array in rnn.params.items()})
        """
        self.load_state_dict(params)

    def repack(self) -> None:
        """Pack the weights anew on their next use; call it after an edit of an array in place.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> rnn = fastrnn.RNN(3, 4, bias=False)
        >>> x = np.ones((2, 3), np.float32)
        >>> y, h_n = rnn(x)
        >>> rnn.params["weight_ih_l0"][:] = 0
        >>> rnn.repack()
        >>> bool((rnn(x)[0] == 0).all())
        True
        """
        self._ready = {}
