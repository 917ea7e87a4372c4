"""Layers from other programs' weights: the class methods that make them."""

import os
from typing import Any, Self

from numpy.typing import ArrayLike

from fastrnn._calls.choices import Squash
from fastrnn._layers.export import Exported


class Exchanged(Exported):
    """The part of a layer that knows of PyTorch, Keras, ONNX and Lasagne."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` of this class wrote.

        Parameters
        ----------
        path : path

        Returns
        -------
        RNN, LSTM or GRU
            One that computes the same, bit for bit.

        Raises
        ------
        fastrnn.CheckpointError
            The file is damaged, or holds something else than a layer of this class.
        ImportError
            safetensors is missing; the message says how to get it.
        OSError
            The file could not be read.

        Examples
        --------
        See `save`.
        """
        from fastrnn.io._layer_file import load_layer

        return load_layer(cls, path)  # type: ignore[type-var]

    @classmethod
    def from_torch(cls, module_or_state_dict: Any, prefix: str = "", **options: Any) -> Self:
        """Return a layer with PyTorch's weights.

        Parameters
        ----------
        module_or_state_dict : torch.nn.Module, mapping of str to array_like, or path
            A recurrent module or a cell, a model that holds one, its ``state_dict()``, or a
            safetensors file with one. Sizes, biases, directions and projection are read off.
        prefix : str
            What the names start with: ``"encoder.rnn"``. Every tensor under it must be a weight of
            this layer.
        **options
            What the class takes and weights do not say: `batch_first`, `dropout`, `nonlinearity`.
            A module says them itself. A `dtype` converts.

        Returns
        -------
        RNN, LSTM or GRU
            With copies of the weights.

        Raises
        ------
        TypeError
            It is nothing of that, holds another cell, or a tensor is not float32 or float64.
        ValueError
            A tensor is left over or missing, or has the wrong shape; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> weights = fastrnn.GRU(3, 4, num_layers=2).state_dict()
        >>> model = {f"encoder.{name}": array for name, array in weights.items()}
        >>> fastrnn.GRU.from_torch(model, prefix="encoder")
        GRU(3, 4, num_layers=2, dtype=float32)
        """
        from fastrnn.io.torch import from_torch

        return from_torch(cls, module_or_state_dict, prefix, options)  # type: ignore[type-var]

    @classmethod
    def from_keras(
        cls,
        weights: Any,
        *,
        bidirectional: bool = False,
        bias: bool = True,
        activation: Squash = "tanh",
        recurrent_activation: Squash = "sigmoid",
        **options: Any,
    ) -> Self:
        """Return a layer with Keras' weights.

        Parameters
        ----------
        weights : list of array_like, or a layer of Keras
            What ``get_weights()`` returns: kernel, recurrent_kernel and bias of each layer and
            direction; lists of several layers one after the other. The bias says whether a GRU
            resets after the product, and a flat one of 8·H or 6·H numbers that the arrays are of
            CuDNNLSTM or CuDNNGRU, whose kernels hold each gate's matrix transposed. A layer, also
            in ``Bidirectional``, says all of the following itself.
        bidirectional : bool
            The second half of each layer's arrays is of the backward direction.
        bias : bool
            There are biases (``use_bias``).
        activation, recurrent_activation : str, or tuple (str, alpha, beta)
            sigmoid, tanh, relu, linear, elu, softsign, softplus, leaky_relu, or hard_sigmoid of
            Keras 1 and 2; that of Keras 3 is ``("hard_sigmoid", 1 / 6, 0.5)``.
        **options
            What the class takes besides: `batch_first`, `merge_mode`, `dtype`.

        Returns
        -------
        RNN, LSTM or GRU
            With copies of the weights. Time-major unless you ask for `batch_first`.

        Raises
        ------
        TypeError
            weights is no list, or an array is not float32 or float64.
        ValueError
            The number of arrays or a shape is wrong, or an option is not supported.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> weights = [np.ones((3, 16)), np.ones((4, 16)), np.zeros(16)]
        >>> fastrnn.LSTM.from_keras(weights, batch_first=True)
        LSTM(3, 4, batch_first=True, dtype=float64)
        """
        from fastrnn.io.keras import from_keras

        return from_keras(  # type: ignore[type-var]
            cls, weights, bidirectional, bias, activation, recurrent_activation, options
        )

    @classmethod
    def from_onnx(
        cls,
        W: ArrayLike,
        R: ArrayLike,
        B: ArrayLike | None = None,
        P: ArrayLike | None = None,
        **attributes: Any,
    ) -> Self:
        """Return a layer with the inputs of an ONNX node; `fastrnn.io.load_onnx` reads files.

        Parameters
        ----------
        W, R : array_like, (D, G·H, I) and (D, G·H, H)
        B, P : array_like or None, (D, 2·G·H) and (D, 3·H)
        **attributes
            ONNX's: direction, layout, hidden_size, clip, activations, activation_alpha,
            activation_beta, input_forget, linear_before_reset. What is not supported raises.

        Returns
        -------
        RNN, LSTM or GRU
            With copies of the weights; `batch_first` with layout 1.

        Raises
        ------
        TypeError
            An input is no array of float32 or float64, or an attribute is unknown.
        ValueError
            A shape breaks its rule, or an attribute has a value that a layer cannot have.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> fastrnn.GRU.from_onnx(np.ones((1, 12, 3)), np.ones((1, 12, 4)), linear_before_reset=1)
        GRU(3, 4, bias=False, dtype=float64)
        """
        from fastrnn.io._assemble import family
        from fastrnn.io.onnx import OnnxNode

        op = family(cls)  # type: ignore[arg-type]
        node = OnnxNode.make(op, W, R, B, P, **attributes)
        return node.layer(cls)  # type: ignore[type-var, no-any-return]

    @classmethod
    def from_lasagne(cls, params: Any, *, prefix: str = "", **options: Any) -> tuple[Self, Any]:
        """Return a layer with one array for each gate, and its learned initial state.

        Parameters
        ----------
        params : mapping of str to array_like
            ``W_in_to_ingate`` (I, H), ``W_hid_to_ingate`` (H, H), ``b_ingate`` (H,),
            ``W_cell_to_ingate`` (H,) and the like under Lasagne's names, and ``hid_init``,
            ``cell_init`` (1, H). Peepholes, biases and initial states may be absent. Of a GRU
            h' = z∘n + (1 − z)∘h, as Lasagne has it.
        prefix : str
            What the names start with.
        **options
            What the class takes besides: `activations`, `nonlinearity` (Lasagne's own is relu),
            `batch_first`, `dtype`.

        Returns
        -------
        layer : RNN, LSTM or GRU
        state : ndarray, (1, 1, H), or a pair of them, or None
            The initial state of one row; ``numpy.broadcast_to`` makes it that of N.

        Raises
        ------
        TypeError
            params is no mapping, or an array is not float32 or float64.
        ValueError
            A name is missing or unknown, or a shape is wrong.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> params = {"W_in_to_hid": np.ones((3, 4)), "W_hid_to_hid": np.ones((4, 4))}
        >>> fastrnn.RNN.from_lasagne(params | {"hid_init": np.ones((1, 4))}, nonlinearity="relu")
        (RNN(3, 4, bias=False, nonlinearity='relu', dtype=float64), array([[[1., 1., 1., 1.]]]))
        """
        from fastrnn.io.lasagne import from_lasagne

        return from_lasagne(cls, params, prefix, options)  # type: ignore[type-var]
