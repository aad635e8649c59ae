"""Attention of one query over the steps of a memory, as recurrent decoders use it: additive and by dot product.

A part of its own, so that whoever wants to see the weights can watch it from outside. It must not know decoders.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn

AttentionKind = Literal["additive", "dot"]


class Attention(nn.Module, ABC):
    """Weighs the M steps of a memory by how well they answer a query, and reads their weighted mean.

    A forward hook sees the weights: they are the second output.

    follows: the query is the decoder's state after the step that it is for (Luong), otherwise the one before (Bahdanau).
    query: Width of the query. memory: D of the memory.
    """

    follows: ClassVar[bool]
    query: int
    memory: int

    @abstractmethod
    def keys(self, memory: Tensor) -> Tensor:
        """Returns what the scores need of the memory, the same for all queries. memory [N, M, D]."""

    @abstractmethod
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Returns the score of every step for a query [N, query]. Shape [N, M]."""

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the weighted mean of the memory [N, D], and the weights, 0 outside of the mask; all 0 where the mask is empty.

        Args:
            query: Shape [N, query].
            keys: From `keys`.
            memory: Shape [N, M, D].
            mask: Which steps may be read. Shape [N, M].
        """
        scores = self.scores(query, keys)
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-1) * mask  # Bahdanau et al. (6), Luong et al. (7)
        read: Tensor = (weights[:, None] @ memory)[:, 0]  # Bahdanau et al. (5)
        return read, weights


@final
class AdditiveAttention(Attention):
    """Bahdanau, Cho & Bengio (2015), "Neural machine translation by jointly learning to align and translate", appendix A.1.2.

    Args:
        query: Width of the query.
        memory: Width of the memory.
        width: Width of the layer in between.
    """

    follows = False

    def __init__(self, *, query: int, memory: int, width: int) -> None:
        super().__init__()
        self.query, self.memory = query, memory
        self.of_query = nn.Linear(query, width)
        self.of_memory = nn.Linear(memory, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        # Where tanh is all but linear, query and memory add up and the query cancels in the softmax: begin where it bends.
        nn.init.normal_(self.score.weight)
        for layer in (self.of_query, self.of_memory):
            nn.init.normal_(layer.weight, std=0.5)

    def keys(self, memory: Tensor) -> Tensor:
        """Returns U h_j. Shape [N, M, width]."""
        keys: Tensor = self.of_memory(memory)
        return keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Returns e_ij = v' tanh(W s + U h_j), A.1.2; see `Attention.scores`."""
        scores: Tensor = self.score(torch.tanh(self.of_query(query)[:, None] + keys))[..., 0]
        return scores


@final
class DotAttention(Attention):
    """Luong, Pham & Manning (2015), "Effective approaches to attention-based neural machine translation", section 3.1, `dot`.

    Args:
        memory: Width of the memory, and of the query.
    """

    follows = True

    def __init__(self, *, memory: int) -> None:
        super().__init__()
        self.query = self.memory = memory

    def keys(self, memory: Tensor) -> Tensor:
        """Returns the memory."""
        return memory

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Returns s' h_j, (8); see `Attention.scores`."""
        return (keys @ query[..., None])[..., 0]
