"""The attention decoder: walks through the horizon and at every step reads the steps of the window that it looks for.

It costs a walk over the window for each step of the horizon, so it is for a few origins of a segment.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from forecast.networks.attention import Attention
from forecast.networks.decoders.feeding import compressed, forced_share, true_values
from forecast.networks.decoders.known_steps import at_targets
from forecast.networks.interfaces import Decoder, Encoding, Feedback
from forecast.networks.naive_paths import mixed
from forecast.networks.phases import phases

EMBEDDING = 8  # width of the embedded covariates of one step


@final
class AttentionDecoder(Decoder):
    """Bahdanau, Cho & Bengio (2015), or Luong, Pham & Manning (2015), whichever the attention is of.

    Bahdanau et al., section 3.1: c_k is read with s_{k-1}, then s_k = GRU([y_{k-1}, x_k, c_k], s_{k-1}). Luong et al., section 3:
    s_k = GRU([y_{k-1}, x_k], s_{k-1}), then c_k is read with s_k. In both s_0 = tanh(W summary) and raw_k = V tanh(W [c_k; s_k]). x_k
    are the known covariates and the phases of step k; y_{k-1} is what `UnrolledDecoder` hears. Query and memory stand
    beside the phases of their steps, so that a phase can be looked for by name. V starts at zero.

    Args:
        attention: How the memory with its phases [B, O, M, D + 2 * seasons] is read; its queries are the states with theirs.
        summary: Width of the encoding's summary.
        horizon: H.
        outputs: R + P, numbers per step.
        known: K; 0 for none.
        seasons: In steps; a step is told its phase in each.
        forced_steps: Training steps after which the decoder hears nothing but itself; 0 from the start.
        first_path: The naive path that gets the highest weight at the start.
    """

    feeds_back = True
    trained: Tensor
    places: Tensor

    def __init__(
        self, *, attention: Attention, summary: int, horizon: int, outputs: int, known: int, seasons: tuple[int, ...] = (),
        forced_steps: int = 0, first_path: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.attend, self.horizon, self.seasons, self.forced_steps = attention, horizon, seasons, forced_steps
        hidden = attention.query - 2 * len(seasons)
        self.known = nn.Linear(known, EMBEDDING) if known else None
        self.start = nn.Linear(summary, hidden)
        beside = (EMBEDDING if known else 0) + 2 * len(seasons) + (0 if attention.follows else attention.memory)
        self.kernel = nn.GRUCell(1 + beside, hidden)
        self.join = nn.Linear(attention.memory + hidden, hidden)
        self.out = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.out.bias.data[first_path] = 2.0
        self.register_buffer("places", phases(torch.arange(1, horizon + 1), seasons), persistent=False)
        self.register_buffer("trained", torch.zeros(1))  # training steps so far; a checkpoint keeps them

    @property
    def attention(self) -> Attention:
        """What weighs the steps of the memory; it is asked once for every step of the horizon, in order."""
        return self.attend

    def forward(self, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        """Returns raw [B, O, H, R + P]; see `Decoder.forward`."""
        feedback = encoding.feedback
        assert feedback is not None  # the network hands it to decoders that feed back
        ahead = self.places.expand(*origins.shape, -1, -1)
        if self.known is not None:
            ahead = torch.cat([at_targets(silu(self.known(known)), origins, self.horizon), ahead], dim=-1)
        share = forced_share(self.trained, self.forced_steps, feedback)
        raw: Tensor = self._walk(encoding, ahead.flatten(0, 1), feedback, share).unflatten(0, origins.shape)
        return raw

    def _walk(self, encoding: Encoding, ahead: Tensor, feedback: Feedback, share: float) -> Tensor:
        """raw [B * O, H, R + P] step by step: every step hears the centre of the one before or, by chance, the true value."""
        assert encoding.memory_mask is not None  # windows say what they have seen
        memory, mask = self._placed(encoding.memory).flatten(0, 1), encoding.memory_mask.flatten(0, 1)
        naive, blocked = feedback.naive.flatten(0, 1), feedback.blocked.flatten(0, 1)[:, 0]
        true = true_values(feedback) if share > 0 else None
        state, keys = torch.tanh(self.start(encoding.summary)).flatten(0, 1), self.attend.keys(memory)
        before, every = naive[:, 0, 0], []
        for step in range(self.horizon):
            heard = torch.cat([compressed(before)[:, None], ahead[:, step]], dim=-1)
            state, read = self._step(heard, state, self.places[step], keys, memory, mask)
            joined = torch.tanh(self.join(torch.cat([read, state], dim=-1)))  # Luong et al. (5)
            every.append(self.out(joined))
            before = mixed(every[-1], naive[:, step].to(every[-1].dtype), blocked)
            if true is not None:
                chosen = (torch.rand_like(before) < share) & ~torch.isnan(true[:, step])
                before = torch.where(chosen, true[:, step].to(before.dtype), before)
        return torch.stack(every, dim=1)

    def _placed(self, memory: Tensor) -> Tensor:
        """The memory with the phases of its steps beside it: [B, O, M, D] -> [B, O, M, D + 2 * seasons]."""
        places = phases(torch.arange(1 - memory.shape[2], 1, device=memory.device), self.seasons).to(memory)
        return torch.cat([memory, places.expand(*memory.shape[:2], -1, -1)], dim=-1)

    def _step(
        self, heard: Tensor, state: Tensor, place: Tensor, keys: Tensor, memory: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The next state [N, hidden] and what it read [N, D]."""
        if self.attend.follows:
            state = self.kernel(heard, state)
        query = torch.cat([state, place.expand(len(state), -1)], dim=-1)
        read, _ = self.attend(query, keys, memory, mask)  # Bahdanau et al. (5), Luong et al., section 3.1
        if not self.attend.follows:
            state = self.kernel(torch.cat([heard, read], dim=-1), state)  # Bahdanau et al., A.2.2
        return state, read
