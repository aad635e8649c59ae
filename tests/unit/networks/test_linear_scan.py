"""The linear and the selective recurrence over all steps at once equal a loop over the steps, with their gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from forecast.networks import selective_scan as selective
from forecast.networks.linear_scan import linear_scan
from forecast.networks.selective_scan import selective_scan

ROWS, WIDTH, STATES = 2, 3, 4
LENGTHS = (1, 2, 3, 4, 5, 15, 16, 17, 50)  # around squares, where a chunk more begins


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(2)


def _linear_world(steps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    a, b = torch.randn(ROWS, steps, WIDTH, 2, dtype=dtype), torch.randn(ROWS, steps, WIDTH, 2, dtype=dtype)
    return a.requires_grad_(), b.requires_grad_(), torch.randn(ROWS, WIDTH, 2, dtype=dtype).requires_grad_()


def _linear_loop(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    out = []
    for t in range(a.shape[1]):
        h = a[:, t] * h + b[:, t]
        out.append(h)
    return torch.stack(out, dim=1)


def _selective_world(steps: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """u, step, a, b, c and the state before."""
    shapes = [(ROWS, steps, WIDTH), (ROWS, steps, WIDTH), (STATES, WIDTH), (ROWS, steps, STATES), (ROWS, steps, STATES)]
    u, step, a, b, c, before = (torch.randn(shape, dtype=dtype) for shape in (*shapes, (ROWS, STATES, WIDTH)))
    return tuple(x.requires_grad_() for x in (u, step.abs(), -a.abs(), b, c, before))


def _selective_loop(u: Tensor, step: Tensor, a: Tensor, b: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Algorithm 2 with equation (2), step by step."""
    y = []
    for t in range(u.shape[1]):
        h = torch.exp(step[:, t, None] * a) * h + step[:, t, None] * b[:, t, :, None] * u[:, t, None]
        y.append(torch.einsum("bn,bnd->bd", c[:, t], h))
    return torch.stack(y, dim=1), h


def _same_gradients(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], leaves: tuple[Tensor, ...]) -> None:
    mine, theirs = (torch.autograd.grad(sum((x.abs() ** 2).sum() for x in outputs), leaves) for outputs in (found, expected))  # type: ignore[arg-type]
    for gradient, wanted in zip(mine, theirs, strict=True):
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("steps", LENGTHS)
def test_a_scan_equals_the_loop_and_has_its_gradients(steps: int, dtype: torch.dtype) -> None:
    world = _linear_world(steps, dtype)
    found, expected = linear_scan(*world), _linear_loop(*world)
    torch.testing.assert_close(found, expected)
    _same_gradients((found,), (expected,), world)


def test_a_scan_of_8192_steps_is_as_exact_as_single_precision_allows() -> None:
    """Units that forget at once, that hardly forget and that never do, beside each other."""
    a = torch.tensor([0.0, 1e-20, 0.5, 0.999, 0.99999, 1.0]).expand(1, 8192, -1)
    world = (a, torch.randn(1, 8192, 6), torch.full((1, 6), 3.0))
    exact = _linear_loop(*(x.double() for x in world))
    error, largest = ((x.abs().amax(dim=(0, 1))) for x in (linear_scan(*world) - exact, exact))
    assert (error <= 5e-5 * largest).all()


def test_gradients_through_8192_steps_are_finite_and_reach_the_start() -> None:
    a = torch.full((1, 8192, 2), 0.9999, requires_grad=True)
    before = torch.ones(1, 2, requires_grad=True)
    linear_scan(a, torch.ones_like(a), before)[:, -1].sum().backward()
    assert a.grad is not None
    assert before.grad is not None
    torch.testing.assert_close(before.grad, torch.full((1, 2), 0.9999**8192), rtol=1e-3, atol=0)
    assert torch.isfinite(a.grad).all()


def test_a_later_step_does_not_move_an_earlier_one_by_a_bit() -> None:
    a, b, before = (x.detach() for x in _linear_world(40, torch.float32))
    planted = b.clone()
    planted[:, 21:] = 1e30
    first, second = linear_scan(a, b, before), linear_scan(a, planted, before)
    assert torch.equal(first[:, :21], second[:, :21])
    assert not torch.equal(first[:, 21:], second[:, 21:])


@pytest.mark.parametrize("cut", [1, 6, 7, 8, 49])
def test_two_parts_with_the_state_carried_over_are_the_whole(cut: int) -> None:
    a, b, before = _linear_world(50, torch.float64)
    first = linear_scan(a[:, :cut], b[:, :cut], before)
    second = linear_scan(a[:, cut:], b[:, cut:], first[:, -1])
    torch.testing.assert_close(torch.cat([first, second], dim=1), linear_scan(a, b, before))


def test_lower_precision_is_computed_in_single_precision() -> None:
    a, b, before = (x.detach().to(torch.bfloat16) for x in _linear_world(20, torch.float32))
    found = linear_scan(a, b, before)
    assert found.dtype is torch.float32
    assert torch.equal(found, linear_scan(a.float(), b.float(), before.float()))


class _Counter(TorchDispatchMode):
    """Names what is computed while it is on."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = names

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def _operations(compute: Callable[[], object]) -> int:
    names: list[str] = []
    with _Counter(names):
        compute()
    return sum(name.startswith(("aten.add", "aten.mul")) for name in names)


def test_work_is_done_for_many_steps_at_a_time_and_not_step_by_step() -> None:
    steps, world = 4096, [x.detach() for x in _selective_world(4096, torch.float32)]
    a, b, before = torch.rand(1, steps, 2), torch.rand(1, steps, 2), torch.rand(1, 2)
    assert 0 < _operations(lambda: linear_scan(a, b, before)) < steps / 10
    assert 0 < _operations(lambda: selective_scan(*world)) < steps / 10


@pytest.mark.parametrize("steps", [1, 2, 5, 6, 7, 19])
def test_a_selective_scan_equals_the_loop_and_has_its_gradients(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selective, "BLOCK_NUMBERS", 1)
    monkeypatch.setattr(selective, "SHORTEST_BLOCK", 6)
    world = _selective_world(steps)
    found, expected = selective_scan(*world), _selective_loop(*world)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs)
    _same_gradients(found, expected, world)


def test_blocks_of_a_selective_scan_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _selective_world(70)
    whole = selective_scan(*world)
    monkeypatch.setattr(selective, "BLOCK_NUMBERS", 1)
    for one, blocks in zip(whole, selective_scan(*world), strict=True):
        torch.testing.assert_close(blocks, one)


def test_a_step_of_no_length_keeps_the_state_to_the_bit() -> None:
    u, step, a, b, c, before = (x.detach().float() for x in _selective_world(30))
    _, kept = selective_scan(u, torch.zeros_like(step), a, b, c, before)
    assert torch.equal(kept, before)
    _, at_ten = selective_scan(u[:, :10], step[:, :10], a, b[:, :10], c[:, :10], before)
    stopped = step.clone()
    stopped[:, 10:] = 0.0
    torch.testing.assert_close(selective_scan(u, stopped, a, b, c, before)[1], at_ten, rtol=1e-6, atol=1e-7)


def test_autocast_leaves_a_selective_scan_in_single_precision() -> None:
    u, step, a, b, c, before = (x.detach().float() for x in _selective_world(30))
    plain = selective_scan(u, step, a, b, c, before)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = selective_scan(u, step, a, b, c, before)
        one = selective_scan(u[:, :1], step[:, :1], a, b[:, :1], c[:, :1], before)
    assert all(torch.equal(p, q) for p, q in zip(plain, cast, strict=True))
    assert all(tensor.dtype is torch.float32 for tensor in one)
