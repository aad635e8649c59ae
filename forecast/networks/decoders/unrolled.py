"""The unrolled decoder: a recurrent layer walks through the horizon on its own last forecast and the covariates of each step.

It costs a Python loop over the horizon, so it is for a few origins of a segment. Where all values that it is fed are known, training
with the true ones, the loop is one call of the fused kernel.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from forecast.networks.decoders.feeding import compressed, forced_share, true_values
from forecast.networks.decoders.known_steps import at_targets
from forecast.networks.interfaces import Decoder, Encoding, Feedback
from forecast.networks.naive_paths import mixed

EMBEDDING = 8  # width of the embedded covariates of one step


@final
class UnrolledDecoder(Decoder):
    """Sutskever, Vinyals & Le (2014), "Sequence to sequence learning with neural networks": s_k = GRU([y_{k-1}, x_k], s_{k-1}),
    raw_k = W s_k, with s_0 from the encoder and y_0 the last observed value.

    y_{k-1} is the centre of the forecast of the step before. In training it may be the true value, chosen for each step and origin
    by scheduled sampling, see `forced_share`. The output starts at zero.

    Args:
        summary: Width of the encoding's summary.
        horizon: H.
        outputs: R + P, numbers per step.
        known: K; 0 for none.
        hidden: Width of s.
        forced_steps: Training steps after which the decoder hears nothing but itself; 0 from the start.
        first_path: The naive path that gets the highest weight at the start.
    """

    feeds_back = True
    trained: Tensor

    def __init__(
        self, *, summary: int, horizon: int, outputs: int, known: int, hidden: int, forced_steps: int = 0, first_path: int = 0
    ) -> None:
        super().__init__()
        self.horizon, self.forced_steps = horizon, forced_steps
        self.known = nn.Linear(known, EMBEDDING) if known else None
        self.start = nn.Linear(summary, hidden)
        self.kernel = nn.GRU(1 + (EMBEDDING if known else 0), hidden, batch_first=True)
        self.out = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.out.bias.data[first_path] = 2.0
        self.register_buffer("trained", torch.zeros(1))  # training steps so far; a checkpoint keeps them

    def forward(self, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        """Returns raw [B, O, H, R + P]; see `Decoder.forward`."""
        feedback = encoding.feedback
        assert feedback is not None  # the network hands it to decoders that feed back
        rows, count = origins.shape
        ahead = known.new_zeros(rows, count, self.horizon, 0)
        if self.known is not None:
            ahead = at_targets(silu(self.known(known)), origins, self.horizon)
        state = torch.tanh(self.start(encoding.summary)).flatten(0, 1)[None]
        share = forced_share(self.trained, self.forced_steps, feedback)
        if share >= 1 and feedback.targets is not None:
            raw = self._forced(ahead.flatten(0, 1), state, feedback)
        else:
            raw = self._unrolled(ahead.flatten(0, 1), state, feedback, share)
        shaped: Tensor = raw.unflatten(0, (rows, count))
        return shaped

    def _forced(self, ahead: Tensor, state: Tensor, feedback: Feedback) -> Tensor:
        """raw [B * O, H, R + P] in one call: every step hears the true value before it, the last value's path where it is missing."""
        last, true = feedback.naive[..., 0].flatten(0, 1), true_values(feedback)
        heard = torch.where(torch.isnan(true), last, true)[:, :-1]
        before = torch.cat([last[:, :1], heard], dim=1)
        states, _ = self.kernel(torch.cat([compressed(before)[..., None], ahead], dim=-1), state)
        raw: Tensor = self.out(states)
        return raw

    def _unrolled(self, ahead: Tensor, state: Tensor, feedback: Feedback, share: float) -> Tensor:
        """raw [B * O, H, R + P] step by step: every step hears the centre of the one before or, by chance, the true value."""
        naive, blocked = feedback.naive.flatten(0, 1), feedback.blocked.flatten(0, 1)[:, 0]
        true = true_values(feedback) if share > 0 else None
        before, every = naive[:, 0, 0], []
        for step in range(self.horizon):
            one = torch.cat([compressed(before)[:, None], ahead[:, step]], dim=-1)
            states, state = self.kernel(one[:, None], state)
            every.append(self.out(states[:, 0]))
            before = mixed(every[-1], naive[:, step].to(every[-1].dtype), blocked)
            if true is not None:
                chosen = (torch.rand_like(before) < share) & ~torch.isnan(true[:, step])
                before = torch.where(chosen, true[:, step].to(before.dtype), before)
        return torch.stack(every, dim=1)
