"""Elman, LSTM and GRU layers on torch's fused kernels.

One layer of any of them is the same code with another cell: the kernels are given by name in a closed table.
"""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from forecast.networks.encoders.gru_pass import gru_pass
from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.timeline import gather_steps

CellName = Literal["elman", "lstm", "gru"]
_KERNELS = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_FORGET_GATE = 1  # torch orders the LSTM's gates input, forget, cell, output


@final
class FusedRecurrent(Encoder):
    """One recurrent layer.

    elman: h[t] = tanh(W x[t] + U h[t-1] + b). Elman (1990), Cognitive Science 14(2).
    lstm: Hochreiter & Schmidhuber (1997), Neural Computation 9(8); forget-gate bias 1 as in Jozefowicz et al. (2015).
    gru: Cho et al. (2014), EMNLP, in cuDNN's form (the reset gate is applied after the product with U).

    Args:
        cell: The kernel.
        inputs: C.
        hidden_size: D.
    """

    causal = True

    def __init__(self, *, cell: CellName, inputs: int, hidden_size: int) -> None:
        super().__init__()
        self.cell, self.width = cell, hidden_size
        self.states = 2 if cell == "lstm" else 1
        self.kernel = _KERNELS[cell](inputs, hidden_size, batch_first=True)
        for name, weight in self.kernel.named_parameters():
            if name.startswith("weight_hh"):
                for gate in weight.data.split(hidden_size):
                    nn.init.orthogonal_(gate)
            elif name.startswith("bias"):
                nn.init.zeros_(weight)
                if cell == "lstm" and name.startswith("bias_ih"):
                    weight.data.view(4, hidden_size)[_FORGET_GATE] = 1.0

    def initial_state(self, batch: int) -> EncoderState:
        """Returns zeros: h, and c for the LSTM, each [B, D]."""
        zero = self.kernel.weight_hh_l0.new_zeros(batch, self.width)
        return (zero,) * self.states

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the hidden states as memory and at the origins as summary; see `Encoder.forward`."""
        before = self.initial_state(len(inputs)) if state is None else state
        if lengths is None:
            outputs, after = self._run(inputs, before)
        elif self.cell == "lstm":
            outputs, after = self._packed(inputs, before, lengths)
        else:  # the hidden state is the output, so it can be read where each row ends
            outputs, _ = self._run(inputs, before)
            last = outputs.gather(1, (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, self.width))[:, 0]
            after = (torch.where(lengths[:, None] > 0, last, before[0]),)
        return Encoding(outputs, None, gather_steps(outputs, origins)), after

    def _run(self, inputs: Tensor, before: EncoderState) -> tuple[Tensor, EncoderState]:
        if self.cell == "gru" and torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu"):  # the same numbers, sooner
            outputs = gru_pass(inputs, before[0], *self.kernel.all_weights[0])
            return outputs, (outputs[:, -1],)
        layered = tuple(s[None].contiguous() for s in before)
        outputs, after = self.kernel(inputs, layered if self.states == 2 else layered[0])
        return outputs, tuple(s[0] for s in (after if self.states == 2 else (after,)))

    def _packed(self, inputs: Tensor, before: EncoderState, lengths: Tensor) -> tuple[Tensor, EncoderState]:
        packed = pack_padded_sequence(inputs, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        outputs, after = self.kernel(packed, tuple(s[None].contiguous() for s in before))
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
        kept = (torch.where(lengths[:, None] > 0, new[0], old) for new, old in zip(after, before, strict=True))
        return padded, tuple(kept)
