"""Elman, LSTM and GRU layers on torch's fused kernels.

One layer of any of them is the same code with another cell: the kernels are given by name in a closed table. How a cell is started and
what it has beside the usual is in its options, which every encoder that is made of such layers hands on.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from forecast.core.errors import ModelError
from forecast.networks.encoders.gru_pass import gru_pass
from forecast.networks.encoders.peephole_pass import peephole_pass
from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.products import full_precision
from forecast.networks.timeline import gather_steps

CellName = Literal["elman", "lstm", "gru"]
InitialState = Literal["zero", "learned"]
RecurrentWeights = Literal["orthogonal", "identity"]
Activation = Literal["tanh", "relu"]
_KERNELS = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_FORGET_GATE = 1  # torch orders the LSTM's gates input, forget, cell, output
_IDENTITY_INPUTS = 1e-3  # deviation of the input weights beside an identity, Le et al. (2015), section 4


class CellOptions(NamedTuple):
    """How a cell starts, and what it has beside the USUAL.

    initial_state: `learned` is one vector for all series, zero at first, where otherwise there are zeros.
    recurrent_weights: Of each gate: a random orthogonal matrix (Saxe et al. 2014) or the identity, which comes with small input
        weights (Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of rectified linear units").
    activation: Of `elman` alone; `relu` with the identity is the IRNN of that paper.
    forget_bias: Of the `lstm` alone; 1 as in Jozefowicz et al. (2015).
    peepholes: Of the `lstm` alone: its gates see the cell, see `peephole_pass`.
    """

    initial_state: InitialState = "zero"
    recurrent_weights: RecurrentWeights = "orthogonal"
    activation: Activation = "tanh"
    forget_bias: float = 1.0
    peepholes: bool = False


USUAL = CellOptions()


@final
class FusedRecurrent(Encoder):
    """One recurrent layer.

    elman: h[t] = tanh(W x[t] + U h[t-1] + b), or relu(...). Elman (1990), Cognitive Science 14(2).
    lstm: Hochreiter & Schmidhuber (1997), Neural Computation 9(8).
    gru: Cho et al. (2014), EMNLP, in cuDNN's form (the reset gate is applied after the product with U).

    Args:
        cell: The kernel.
        inputs: C.
        hidden_size: D.
        options: Those of other cells are refused.

    Raises:
        ModelError: an option that the cell does not have.
    """

    causal = True

    def __init__(self, *, cell: CellName, inputs: int, hidden_size: int, options: CellOptions = USUAL) -> None:
        super().__init__()
        _check(cell, options)
        self.cell, self.width, self.options = cell, hidden_size, options
        self.states = 2 if cell == "lstm" else 1
        if cell == "elman":
            self.kernel: nn.RNNBase = nn.RNN(inputs, hidden_size, nonlinearity=options.activation, batch_first=True)
        else:
            self.kernel = _KERNELS[cell](inputs, hidden_size, batch_first=True)
        self.peepholes = nn.Parameter(torch.zeros(3, hidden_size)) if options.peepholes else None
        self.start = nn.Parameter(torch.zeros(self.states, hidden_size)) if options.initial_state == "learned" else None
        self._start_weights()

    def _start_weights(self) -> None:
        identity = self.options.recurrent_weights == "identity"
        for name, weight in self.kernel.named_parameters():
            if name.startswith("weight_hh"):
                for gate in weight.data.split(self.width):
                    nn.init.eye_(gate) if identity else nn.init.orthogonal_(gate)
            elif name.startswith("bias"):
                nn.init.zeros_(weight)
                if self.cell == "lstm" and name.startswith("bias_ih"):
                    weight.data.view(4, self.width)[_FORGET_GATE] = self.options.forget_bias
            elif identity:
                nn.init.normal_(weight, std=_IDENTITY_INPUTS)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns zeros, or what was learned: h, and c for the LSTM, each [B, D]."""
        if self.start is not None:
            return tuple(one.expand(batch, -1) for one in self.start)
        zero = next(self.kernel.parameters()).new_zeros(batch, self.width)
        return (zero,) * self.states

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the hidden states as memory and at the origins as summary; see `Encoder.forward`."""
        before = self.initial_state(len(inputs)) if state is None else state
        if lengths is not None and self.cell == "lstm" and self.peepholes is None:
            outputs, after = self._packed(inputs, before, lengths)  # its cells are known after the last step alone
        else:
            outputs, every, after = self._run(inputs, before)
            if lengths is not None:
                after = tuple(_where_it_ends(s, old, lengths) for s, old in zip(every, before, strict=True))
        return Encoding(outputs, None, gather_steps(outputs, origins)), after

    def _run(self, inputs: Tensor, before: EncoderState) -> tuple[Tensor, EncoderState, EncoderState]:
        """The outputs [B, T, D], the states of every step as far as they are known [B, T, D], and those after the last [B, D]."""
        if self.peepholes is not None:
            with full_precision(inputs):  # the loop adds up in place
                every = peephole_pass(inputs.float(), tuple(s.float() for s in before), self.kernel.all_weights[0], self.peepholes)
            return every[0], every, tuple(s[:, -1] for s in every)
        if self.cell == "gru" and self._is_for_own_pass(inputs):  # the same numbers, sooner
            outputs = gru_pass(inputs, before[0], *self.kernel.all_weights[0])
            return outputs, (outputs,), (outputs[:, -1],)
        layered = tuple(s[None].contiguous() for s in before)
        outputs, after = self.kernel(inputs, layered if self.states == 2 else layered[0])
        return outputs, (outputs,), tuple(s[0] for s in (after if self.states == 2 else (after,)))

    def _is_for_own_pass(self, inputs: Tensor) -> bool:
        return inputs.device.type == "cpu" and torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")

    def _packed(self, inputs: Tensor, before: EncoderState, lengths: Tensor) -> tuple[Tensor, EncoderState]:
        packed = pack_padded_sequence(inputs, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        outputs, after = self.kernel(packed, tuple(s[None].contiguous() for s in before))
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
        kept = (torch.where(lengths[:, None] > 0, new[0], old) for new, old in zip(after, before, strict=True))
        return padded, tuple(kept)


def _check(cell: CellName, options: CellOptions) -> None:
    """Raises ModelError where an option is not one of the cell's."""
    foreign = {
        "activation": (options.activation, USUAL.activation, "elman"),
        "forget_bias": (options.forget_bias, USUAL.forget_bias, "lstm"),
        "peepholes": (options.peepholes, USUAL.peepholes, "lstm"),
    }
    for name, (found, default, owner) in foreign.items():
        if found != default and cell != owner:
            raise ModelError(f"the cell {cell!r} was given {name} {found!r}, which the {owner} alone has; leave {name} out")


def _where_it_ends(every: Tensor, before: Tensor, lengths: Tensor) -> Tensor:
    """The state after each row's last real step, [B, D]."""
    last = every.gather(1, (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, every.shape[-1]))[:, 0]
    return torch.where(lengths[:, None] > 0, last, before)
