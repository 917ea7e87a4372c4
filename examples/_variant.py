"""The LSTMs of history: a layer with those options of the functions that no class has."""

import fastrnn


class Variant:
    """An LSTM layer with options of `fastrnn.lstm` that the class `LSTM` does not have."""

    def __init__(self, inputs, hidden, *, rng, forget_bias=0.0, peephole=False, **options):
        plain = fastrnn.LSTM(inputs, hidden, peephole=peephole, forget_bias=forget_bias, rng=rng)
        self.params, self.options, self.hidden_size = plain.params, options, hidden
        self.dtype, self.bidirectional = plain.dtype, False

    def _arguments(self, state):
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        weights = [self.params[name] for name in names]
        peephole = self.params.get("weight_peephole_l0")
        h0, c0 = state or (None, None)
        return [*weights, h0, c0], {"w_peephole": peephole, **self.options}

    def forward(self, x, state=None, *, lengths=None):
        """As `LSTM.forward`; states are (N, H)."""
        weights, options = self._arguments(state)
        return fastrnn.lstm_forward(x, *weights, lengths=lengths, **options)

    def __call__(self, x, state=None, *, lengths=None):
        """As a call of `LSTM`."""
        weights, options = self._arguments(state)
        return fastrnn.lstm(x, *weights, lengths=lengths, **options)

    def backward(self, tape, dy):
        """As `LSTM.backward`."""
        g = fastrnn.lstm_backward(tape, dy)
        params = dict(zip(self.params, (g.w_ih, g.w_hh, g.b_ih, g.b_hh, g.w_peephole)))
        return fastrnn.LayerGrads(g.x, None, params)

    def repack(self):
        """Nothing is packed here."""
