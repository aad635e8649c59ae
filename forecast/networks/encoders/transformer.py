"""The transformer: every step of the window attends to every observed one. It is here for comparison.

Its cost grows with the square of the window, and nothing of it can be carried to the next origin.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, scaled_dot_product_attention

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.lag_window import LagWindow, step_width

INNER = 4  # width of the feed-forward layer beside that of the model, the paper's


def default_heads(width: int) -> int:
    """Returns the number of heads: four where they share the width evenly, else two or one."""
    return next(heads for heads in (4, 2, 1) if width % heads == 0)


def positions(lags: int, width: int) -> Tensor:
    """Returns the sinusoidal positions of Vaswani et al. (2017), section 3.5, counted backwards: the newest step is 0.

    PE(p, 2i) = sin(p / 10000^(2i / width)), PE(p, 2i + 1) = cos of the same. Shape [lags, width], oldest first.
    """
    place = torch.arange(lags - 1, -1, -1, dtype=torch.float64)[:, None]
    angle = place / 10_000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width].float()


@final
class TransformerLayer(nn.Module):
    """Vaswani et al. (2017), section 3.1: x = norm(x + attention(x)), then x = norm(x + W2 relu(W1 x)).

    Args:
        width: Of the model.
        dropout: Of the output of each sublayer, section 5.4.
    """

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.heads = default_heads(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.join = nn.Linear(width, width, bias=False)
        self.inner, self.outer = nn.Linear(width, INNER * width), nn.Linear(INNER * width, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Returns the steps after the layer. x [N, M, width]; mask [N, M], what may be attended to, not empty anywhere."""
        x = self.norms[0](x + self.dropout(self._attended(x, mask)))
        changed: Tensor = self.norms[1](x + self.dropout(self.outer(relu(self.inner(x)))))  # (2)
        return changed

    def _attended(self, x: Tensor, mask: Tensor) -> Tensor:
        """MultiHead(x, x, x), section 3.2.2: softmax(Q K' / sqrt(width of a head)) V of every head (1), joined."""
        split = self.queries_keys_values(x).unflatten(-1, (3, self.heads, -1)).transpose(1, 3)  # [N, heads, 3, M, width / heads]
        queries, keys, values = split.unbind(2)
        read = scaled_dot_product_attention(queries, keys, values, attn_mask=mask[:, None, None])
        joined: Tensor = self.join(read.transpose(1, 2).flatten(2))
        return joined


@final
class WindowTransformer(Encoder):
    """Vaswani et al. (2017), "Attention is all you need": the encoder stack over the last D steps.

    A step is its value, whether it was observed, and its phases, embedded, plus its position. Missing steps are attended to by none
    (where nothing was observed, by all). The summary is the newest step after the last layer, and the context.

    Args:
        lags: D, the window.
        hidden_size: Width of the model.
        layers: Their number.
        context: Width of the context.
        seasons: In steps; a step is told its phase in each.
        dropout: Of the embedded steps and of every sublayer.
    """

    causal = False
    carries = False
    places: Tensor

    def __init__(
        self, *, lags: int, hidden_size: int, layers: int, context: int, seasons: tuple[int, ...] = (), dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.lags, self.seasons, self.width = lags, seasons, hidden_size + context
        self.embed = nn.Linear(step_width(seasons), hidden_size)
        self.layers = nn.ModuleList(TransformerLayer(width=hidden_size, dropout=dropout) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("places", positions(lags, hidden_size), persistent=False)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns nothing: a windowed encoder carries no state."""
        return ()

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns all steps as memory [B, O, D, hidden_size], the newest and the context as summary; see `Encoder.forward`."""
        window = LagWindow.of(inputs, self.lags)
        seen = window.seen.flatten(0, 1) > 0
        embedded = self.embed(window.as_steps(self.seasons).flatten(0, 1)) * math.sqrt(self.places.shape[-1])  # section 3.4
        x = self.dropout(embedded + self.places)
        mask = seen | ~seen.any(dim=-1, keepdim=True)
        for layer in self.layers:
            x = layer(x, mask)
        memory = x.unflatten(0, inputs.shape[:2])
        return Encoding(memory, window.seen > 0, torch.cat([memory[:, :, -1], window.context], dim=-1)), ()
