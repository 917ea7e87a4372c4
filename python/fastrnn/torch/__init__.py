"""torch.nn's recurrent modules, computed by fastrnn: change one import, keep the training loop.

Each class is a subclass of its namesake in torch.nn and differs in how a call is computed. So
constructor, initial weights, ``state_dict``, ``deepcopy`` and pickling are PyTorch's own, weights
move both ways by ``load_state_dict``, and ``isinstance(module, torch.nn.LSTM)`` holds. Tensors are
read and handed back without a copy, except for packed sequences. The whole call is one node of the
graph, with the backward of `fastrnn.LSTM`. `convert` does it for every module of a model.
"""

try:
    import torch  # noqa: F401  nothing here works without it
except ImportError as error:
    raise ImportError("fastrnn.torch needs PyTorch: pip install torch gives it to you") from error

from fastrnn.torch._cells import GRUCell, LSTMCell, RNNCell
from fastrnn.torch._convert import convert, revert
from fastrnn.torch._modules import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "convert", "revert"]
