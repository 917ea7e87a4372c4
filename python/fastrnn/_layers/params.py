"""The weights of a layer by name: read them, edit them, replace them, save them, load them.

Inference is fastest from weights in the order in which the kernels read them: packed. A layer keeps
them packed only while nobody else can edit the arrays; else every call packs what they hold then.
"""

import warnings
from collections.abc import Iterable, Mapping
from sys import getrefcount
from types import SimpleNamespace
from typing import Any, NamedTuple
from weakref import getweakrefcount

import numpy as np

from fastrnn import _core
from fastrnn._checks import Array, flag
from fastrnn._layers.direction import Direction
from fastrnn._layers.part import Part


class Ready(NamedTuple):
    """Packed weights; immutable, so that threads share it while another one is being built."""

    isa: str  # what they are packed for
    parts: list[list[Part]]


def _references(owner: Any) -> list[int]:
    """Return how many references there are to the dict of weights, and to each of them."""
    return [getrefcount(owner._params), *map(getrefcount, owner._params.values())]


# Where only the owner has the dict, and only the dict has an array.
_ALONE = _references(SimpleNamespace(_params={"": np.zeros(1)}))


def _own(array: Any) -> bool:
    """Return whether the memory is the array's own, so that whoever edits it has the array."""
    return type(array) is np.ndarray and array.flags.owndata and not getweakrefcount(array)


class Params:
    """The part of a layer that owns its weights.

    Attributes
    ----------
    params : dict of str to ndarray
        The weights under PyTorch's names. You may replace entries, and edit arrays in place in any
        way: the next call sees it. Only while a call is running nobody may.
    """

    _directions: list[list[Direction]]

    def __init__(self) -> None:
        self._params: dict[str, Array] = {}
        self._lent = True  # somebody may have references to the arrays
        self._ready: Ready | None = None  # means nothing while they are lent
        each = self._each()
        self._all_names = [name for direction in each for name in direction.shapes]
        # One layer, one direction, and a cell that the functions have.
        self._alone = len(each) == 1 and not each[0].kind.layer_norm

    @property
    def params(self) -> dict[str, Array]:
        """The weights under PyTorch's names, (G·H, I) and so on.

        You may replace entries, and edit arrays in place in any way: the next call sees it, and no
        other layer is touched. Do not edit while a call is running.

        Notes
        -----
        Inference is fastest from weights that are packed in the order in which the kernels read
        them. A layer keeps them packed as long as nothing outside of it refers to its arrays: this
        dict, an array, a view, a tensor that shares the memory, an optimiser that holds them, a
        tape. While something does, each call packs them anew, which takes longer than the rest of a
        call with few steps and rows; let go of them, copy the layer, or use `stream`. Writing
        through a bare address, which refers to nothing, is the one edit that cannot be seen.
        """
        # In this order: a call in another thread that looks in between finds the reference.
        params = self._params
        self._lent = True
        return params

    @params.setter
    def params(self, params: dict[str, Array]) -> None:
        self._params = params
        self._lent = True

    def __getstate__(self) -> dict[str, Any]:
        # Packed weights are made anew in a copy; copy.copy shares the arrays.
        state = self.__dict__ | {"_ready": None, "_lent": True}
        self._lent = True
        return state

    def _each(self) -> list[Direction]:
        """Return every layer and direction in the order of the states."""
        return [direction for layer in self._directions for direction in layer]

    def _parts(self, packed: bool) -> list[list[Part]]:
        """Return every layer and direction ready to run; packed, if wanted and if nobody edits."""
        if packed:
            if self._lent:
                self._take_back()
            if not self._lent:
                ready, isa = self._ready, _core.isa()
                if ready is None or ready.isa != isa:
                    ready = self._ready = Ready(isa, self._build_own(packed=True))
                return ready.parts
        return self._build_own(packed=False)

    def _take_back(self) -> None:
        """End the time for which the arrays are lent, if nobody has them any more."""
        self._ready = None
        self._lent = False  # before the look: whoever asks for them from now on sets it again
        owner, *arrays = _references(self)
        alone = owner == _ALONE[0] and arrays == _ALONE[1:] * len(arrays)
        if not (alone and type(self._params) is dict and all(map(_own, self._params.values()))):
            self._lent = True

    def _frozen(self, copied: bool) -> list[list[Part]]:
        """Return packed parts, which no edit reaches; with copies of the weights, if wanted."""
        if not copied:
            parts = self._parts(packed=True)
            return parts if parts[0][0].packed else self._build_own(packed=True)
        params = self.state_dict()
        packed, plain = self._build(params, packed=True), self._build(params, packed=False)
        return [
            [one._replace(weights=other.weights) for one, other in zip(*layer, strict=True)]
            for layer in zip(packed, plain, strict=True)
        ]

    def _build_own(self, packed: bool) -> list[list[Part]]:
        """Return every layer and direction with the weights that `params` has now."""
        self._check_names(self._params, self._names())
        return self._build(self._params, packed)

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
        return {name: np.array(array) for name, array in self._params.items()}

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
        self._params.update(fresh)
        self._lent = True
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
        """Do nothing: every call sees the weights as they are, also after an edit in place.

        .. deprecated:: 0.1
            Leave it out; it goes in 0.3.

        Warns
        -----
        DeprecationWarning
            Always.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> rnn = fastrnn.RNN(3, 4, bias=False)
        >>> x = np.ones((2, 3), np.float32)
        >>> y, h_n = rnn(x)
        >>> rnn.params["weight_ih_l0"][:] = 0
        >>> bool((rnn(x)[0] == 0).all())
        True
        """
        warnings.warn(
            "repack has no effect, as a call sees the weights as they are: leave it out; "
            "it goes in version 0.3",
            DeprecationWarning, stacklevel=2,
        )  # fmt: skip
