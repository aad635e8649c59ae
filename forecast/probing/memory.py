"""What one series needs in memory while it is read step by step.

Every tensor that torch makes within a step is seen by a dispatch mode, and its storage is counted for as long as it lives. That is exact and
repeatable, where the memory of the process is neither. Not seen: what a fused kernel uses inside of one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from forecast.networks.interfaces import Encoder, EncoderState
from forecast.probing.cells import origins_of
from forecast.probing.results import Memory

_CHUNK = 256


@final
class PeakBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that live at once while it is entered; each storage counts once.

    Args:
        held: Tensors that live already and count.
        free: Tensors that do not count, such as weights.
    """

    def __init__(self, held: Iterable[Tensor], free: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._free = {_storage(tensor)._cdata for tensor in free}
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0
        self._see(held)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self._see(leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor))
        return made

    def _see(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = _storage(tensor)
            if storage._cdata not in self._free:
                self._live[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self._live = {key: (ref, size) for key, (ref, size) in self._live.items() if not ref.expired()}
        self.peak = max(self.peak, sum(size for _, size in self._live.values()))


def kept_bytes(state: EncoderState) -> int:
    """Returns the bytes that a state holds on to: whole storages, of which its tensors may be views."""
    return sum({_storage(tensor)._cdata: _storage(tensor).nbytes() for tensor in state}.values())


@torch.no_grad()
def measure_memory(encoder: Encoder, hidden_size: int, lengths: Sequence[int]) -> Memory:
    """Returns the bytes of one series after each number of steps.

    Most steps are read in chunks; the last two are fed one by one, so that no state is left that looks into a chunk.

    Args:
        encoder: A causal one.
        hidden_size: C.
        lengths: Rising, over 1, each at least 2 more than the one before.
    """
    encoder.eval()
    state, read = encoder.initial_state(1), 0
    kept, peak = [], []
    for length in lengths:
        for start in range(read, length - 2, _CHUNK):
            state = _after(encoder, torch.randn(1, min(_CHUNK, length - 2 - start), hidden_size), state)
        state = _after(encoder, torch.randn(1, 1, hidden_size), state)
        state, most = _measured_step(encoder, torch.randn(1, 1, hidden_size), state)
        read = length
        kept.append(kept_bytes(state))
        peak.append(most)
    return Memory(tuple(lengths), tuple(kept), tuple(peak))


def _measured_step(encoder: Encoder, inputs: Tensor, state: EncoderState) -> tuple[EncoderState, int]:
    """The state after one step, and the most bytes that lived within it."""
    origins = origins_of(inputs)
    with PeakBytes(held=state, free=(*encoder.parameters(), *encoder.buffers(), inputs, origins)) as mode:
        _, after = encoder(inputs, origins, state)
    return after, mode.peak


def _after(encoder: Encoder, inputs: Tensor, state: EncoderState) -> EncoderState:
    after: EncoderState = encoder(inputs, origins_of(inputs), state)[1]
    return after


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    return tensor.untyped_storage()
