"""The diagonal state-space layer: every channel drives a few damped oscillators and reads a mixture of them.

Gu et al. (2022), "On the parameterization and initialization of diagonal state space models". It must not know how its layers are
stacked.
"""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.functional import glu, pad, silu

from forecast.networks.encoders.residual_layer import SequenceLayer
from forecast.networks.interfaces import EncoderState
from forecast.networks.linear_scan import linear_scan
from forecast.networks.products import full_precision, row_product
from forecast.networks.timeline import gather_steps

OSCILLATORS = 8  # conjugate pairs of a channel: N = 16 in the paper's count, 16 numbers of state
SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1  # of an untrained layer, one for each channel, as in the paper
CHUNK = 32  # steps that one product reads; the triangle of a chunk has its square in numbers


class _Discrete(NamedTuple):
    """The layer on the grid of steps. rate: (log |A|, angle of A) of one step. drive: B. read: 2 C. Each two tensors [D, N]: real and
    imaginary part, but for rate. through: the weight of the input itself [D]."""

    rate: tuple[Tensor, Tensor]
    drive: tuple[Tensor, Tensor]
    read: tuple[Tensor, Tensor]
    through: Tensor

    def powers(self, exponents: Tensor) -> tuple[Tensor, Tensor]:
        """Returns A^k, real and imaginary part, each [D, N, k]."""
        size = torch.exp(self.rate[0][..., None] * exponents)
        angle = self.rate[1][..., None] * exponents
        return size * torch.cos(angle), size * torch.sin(angle)


@final
class S4d(SequenceLayer):
    """S4D with the initialisation that the paper calls S4D-Lin and a step by zero-order hold; then SiLU and a gated projection.

    x'(t) = A x(t) + B u(t), y(t) = Re(C x(t)) + D u(t) with diagonal complex A, for every channel by itself. B is 1, as the paper
    trains only its product with C; of each conjugate pair one is kept. One step is the recurrence. Many steps are cut into chunks:
    inside a chunk the convolution with the layer's kernel, as a product with its triangle, so that what is later has weight 0
    exactly; from chunk to chunk the recurrence. The state is real and imaginary part of every oscillator, [B, D, N, 2].

    Args:
        hidden_size: D.
    """

    def __init__(self, *, hidden_size: int) -> None:
        super().__init__()
        self.width = hidden_size
        steps = torch.rand(hidden_size) * (log(LONGEST_STEP) - log(SHORTEST_STEP)) + log(SHORTEST_STEP)
        self.log_step = nn.Parameter(steps)
        self.log_decay = nn.Parameter(torch.full((hidden_size, OSCILLATORS), log(0.5)))  # S4D-Lin: A[n] = -1/2 + i pi n
        self.frequency = nn.Parameter(torch.pi * torch.arange(OSCILLATORS).repeat(hidden_size, 1))
        self.read = nn.Parameter(torch.randn(hidden_size, OSCILLATORS, 2) * 0.5**0.5)
        self.through = nn.Parameter(torch.ones(hidden_size))
        self.out = nn.Linear(hidden_size, 2 * hidden_size)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns zeros, [B, D, N, 2]."""
        return (self.through.new_zeros(batch, self.width, OSCILLATORS, 2),)

    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the gated projections and the oscillators; see `SequenceLayer.forward`."""
        with full_precision(x):  # the oscillators need float32
            u, system = x.float(), self._discrete()
            if u.shape[1] == 1:
                y, after = _step(system, u, state[0])
                if lengths is not None:
                    after = torch.where((lengths > 0)[:, None, None, None], after, state[0])
            else:
                y, after = _chunked(system, u, state[0], lengths)
        return glu(row_product(silu(y), self.out.weight, self.out.bias)), (after,)

    def _discrete(self) -> _Discrete:
        """Zero-order hold: A' = exp(step A), B' = (A' - 1) / A."""
        step = torch.exp(self.log_step)[:, None]
        decay, turn = torch.exp(self.log_decay), self.frequency
        size, angle = torch.exp(-step * decay), step * turn
        real, imaginary = size * torch.cos(angle) - 1, size * torch.sin(angle)
        norm = decay**2 + turn**2
        drive = ((imaginary * turn - real * decay) / norm, -(imaginary * decay + real * turn) / norm)  # times conj(A) / |A|^2
        return _Discrete((-step * decay, angle), drive, (2 * self.read[..., 0], 2 * self.read[..., 1]), self.through)


def _step(system: _Discrete, u: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """x[t] = A' x[t-1] + B' u[t], y[t] = 2 Re(C x[t]) + D u[t], for one step. y [B, 1, D] and x [B, D, N, 2]."""
    (one_real, one_imaginary), now = system.powers(u.new_ones(1)), u[:, 0, :, None]
    a_real, a_imaginary = one_real[..., 0], one_imaginary[..., 0]
    real, imaginary = before.unbind(-1)
    after_real = a_real * real - a_imaginary * imaginary + system.drive[0] * now
    after_imaginary = a_real * imaginary + a_imaginary * real + system.drive[1] * now
    y = (system.read[0] * after_real - system.read[1] * after_imaginary).sum(dim=-1) + system.through * u[:, 0]
    return y[:, None], torch.stack([after_real, after_imaginary], dim=-1)


def _chunked(system: _Discrete, u: Tensor, before: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """All steps. y [B, T, D] and x [B, D, N, 2] after each row's last real step."""
    rows, steps, width = u.shape
    size = min(CHUNK, steps)
    powers = system.powers(torch.arange(size + 1, device=u.device, dtype=u.dtype))
    sums = _sums(system, powers, size)
    filled = pad(u, (0, 0, 0, -steps % size))
    count = filled.shape[1] // size
    flat = _turned(filled.flatten(0, 1)).unflatten(1, (-1, size))  # [D, B chunks, size]
    ends = (flat @ sums).unflatten(1, (rows, count)).permute(1, 2, 0, 3)  # what each chunk adds by its end
    factor = torch.complex(*(p[..., size] for p in powers)).expand(rows, count, -1, -1)
    added = torch.view_as_complex(ends.unflatten(-1, (-1, 2)).contiguous())
    starts = _before_each(linear_scan(factor, added, torch.view_as_complex(before.contiguous())), before)
    carried = starts.permute(2, 0, 1, 3, 4).reshape(width, rows * count, -1)
    y = torch.baddbmm(flat @ _triangle(system, powers, size), carried, _readings(system, powers))
    y = _turned(y.flatten(1)).unflatten(0, (rows, -1))[:, :steps] + system.through * u
    ended = torch.full((rows,), steps, device=u.device) if lengths is None else lengths
    return y, _after(powers, sums, u, starts, ended)


def _turned(x: Tensor) -> Tensor:
    """The transpose of a matrix, numbers in a row side by side in memory, and so in its gradient: products need that to be fast."""
    turned: Tensor = _Turned.apply(x)  # type: ignore[no-untyped-call]
    return turned


@final
class _Turned(torch.autograd.Function):
    """Both ways a copy, where autograd's own transpose would hand back a view."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Returns x [n, m] as [m, n]."""
        return x.t().contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Returns the gradient [m, n] as [n, m]."""
        return gradient.t().contiguous()


def _sums(system: _Discrete, powers: tuple[Tensor, Tensor], size: int) -> Tensor:
    """What the input of each step of a chunk adds to the state at its end: A'^(size - 1 - j) B'. Shape [D, size, 2 N]."""
    real, imaginary = (p[..., :size].flip(-1) for p in powers)
    b_real, b_imaginary = (b[..., None] for b in system.drive)
    both = torch.stack([real * b_real - imaginary * b_imaginary, real * b_imaginary + imaginary * b_real], dim=2)
    return both.flatten(1, 2).transpose(1, 2)


def _readings(system: _Discrete, powers: tuple[Tensor, Tensor]) -> Tensor:
    """What the state before a chunk gives at each of its steps: 2 Re(C A'^(i + 1) x). Shape [D, 2 N, size]."""
    real, imaginary = (p[..., 1:] for p in powers)
    c_real, c_imaginary = (c[..., None] for c in system.read)
    return torch.stack([c_real * real - c_imaginary * imaginary, -c_real * imaginary - c_imaginary * real], dim=2).flatten(1, 2)


def _triangle(system: _Discrete, powers: tuple[Tensor, Tensor], size: int) -> Tensor:
    """The convolution inside a chunk: the kernel K[i - j] = 2 Re(C A'^(i - j) B'), 0 where j > i. Shape [D, size of j, size of i]."""
    real = system.read[0] * system.drive[0] - system.read[1] * system.drive[1]
    imaginary = system.read[0] * system.drive[1] + system.read[1] * system.drive[0]
    kernel = (real[..., None] * powers[0] - imaginary[..., None] * powers[1])[..., :size].sum(dim=1)
    triangle: Tensor = pad(kernel, (size - 1, 0)).unfold(1, size, 1).flip(1)
    return triangle


def _before_each(states: Tensor, before: Tensor) -> Tensor:
    """The state before each chunk, and at the end the one after the last. Shape [B, chunks, D, N, 2]."""
    return torch.cat([before[:, None], torch.view_as_real(states)[:, :-1]], dim=1)


def _after(powers: tuple[Tensor, Tensor], sums: Tensor, u: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
    """The state after each row's last real step: from the start of its last chunk on. Shape [B, D, N, 2]."""
    size = sums.shape[1]
    chunk = ((lengths - 1).clamp(min=0) // size)[:, None]
    into = lengths[:, None] - chunk * size  # steps of the last chunk that are real, 0 for a row without any
    step = torch.arange(size, device=u.device) + into - size  # so that the last real one stands at the end
    real_inputs = gather_steps(u, (chunk * size + step).clamp(min=0)) * (step >= 0)[..., None]
    added = (real_inputs.permute(2, 0, 1) @ sums).transpose(0, 1).unflatten(-1, (-1, 2))
    a_real, a_imaginary = (p.permute(2, 0, 1)[into[:, 0]] for p in powers)
    real, imaginary = gather_steps(starts, chunk)[:, 0].unbind(-1)
    kept = torch.stack([a_real * real - a_imaginary * imaginary, a_real * imaginary + a_imaginary * real], dim=-1)
    after: Tensor = kept + added
    return after
