"""Layers for other programs: what they hand out."""

import os
from typing import Any

from fastrnn._checks import Array, flag
from fastrnn._layers.pure import Pure


class Exported(Pure):
    """The part of a layer that writes itself for PyTorch, Keras and ONNX."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write options and weights to one safetensors file; it is there whole, or the old one is.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Raises
        ------
        ImportError
            safetensors is missing; the message says how to get it.
        OSError
            The file could not be written; the old one is still there, unless the message says
            that only its folder could not be synced.

        Examples
        --------
        >>> import fastrnn
        >>> fastrnn.GRU(3, 4, num_layers=2).save("gru.safetensors")
        >>> fastrnn.GRU.load("gru.safetensors")
        GRU(3, 4, num_layers=2, dtype=float32)
        """
        from fastrnn.io._layer_file import save_layer

        save_layer(self, path)  # type: ignore[arg-type]

    def to_torch(self) -> Any:
        """Return PyTorch's module with copies of the weights.

        Returns
        -------
        torch.nn.RNN, torch.nn.GRU or torch.nn.LSTM

        Raises
        ------
        ImportError
            PyTorch is missing.
        ValueError
            The layer has an option that PyTorch's modules lack.

        Examples
        --------
        >>> import fastrnn
        >>> fastrnn.GRU(3, 4).to_torch()  # doctest: +SKIP
        GRU(3, 4)
        """
        from fastrnn.io.torch import to_torch

        return to_torch(self)  # type: ignore[arg-type]

    def to_keras(self) -> list[Array]:
        """Return the arrays that a layer of Keras takes by ``set_weights``.

        Returns
        -------
        list of ndarray
            kernel, recurrent_kernel and bias of each layer and direction, one after the other. A
            GRU with `reset_after` has a bias (2, 3·H); else both biases are added.

        Raises
        ------
        ValueError
            The layer has weights that Keras' layers lack.

        Examples
        --------
        >>> import fastrnn
        >>> [array.shape for array in fastrnn.GRU(3, 4).to_keras()]
        [(3, 12), (4, 12), (2, 12)]
        """
        from fastrnn.io.keras import to_keras

        return to_keras(self)  # type: ignore[arg-type]

    def to_onnx(
        self, path: str | os.PathLike[str], *, state: bool = False, lengths: bool = False
    ) -> None:
        """Write the layer as an ONNX model, for inference.

        The model takes ``x`` in the layer's layout and gives ``y``, ``h_n`` and, of an LSTM,
        ``c_n``; of layers that differ in size ``h_n_l0``, ``h_n_l1``, …. T and N are free.

        Parameters
        ----------
        path : path
            Replaced if it exists.
        state : bool
            Take the initial states as ``h0`` and ``c0``, too.
        lengths : bool
            Take ``lengths`` (N,), int32, too.

        Raises
        ------
        ImportError
            The package onnx is missing.
        OSError
            The file could not be written; the old one is still there, unless the message says
            that only its folder could not be synced.
        ValueError
            The layer has an option that ONNX lacks.

        Examples
        --------
        >>> import fastrnn
        >>> fastrnn.LSTM(3, 4, num_layers=2, bidirectional=True).to_onnx("lstm.onnx", state=True)
        """
        from fastrnn.io._onnx_write import write

        write(self, path, flag("state", state), flag("lengths", lengths))  # type: ignore[arg-type]
