"""A made-up result of the probe with as many cells as there will ever be, for the tests of what is drawn and said of it."""

from __future__ import annotations

from forecast.probing.recall_rule import recall_of
from forecast.probing.results import ATTENTION, CellResult, Growth, Memory, ProbeResult, StackResult
from forecast.probing.settings import ProbeSettings

SETTINGS = ProbeSettings()
HORIZONS = {"elman": 15, "lstm": 474, "gru": 322, "stacked": 1322, "dilated": 900, "slstm": 800, "mlstm": 700, "min_gru": 250,
            "min_lstm": 210, "s4d": 90, "mamba": 4096, "rwkv": 5}  # fmt: skip
WEIGHTS = {"elman": 33_024, "lstm": 132_096, "gru": 99_072}


def made_cell(name: str, horizon: int | None, place: int = 0, power: float = 1.0, grows: bool = False) -> CellResult:
    lengths = SETTINGS.lengths
    explained = [1.0 if age <= (horizon or 0) else max(1 - (age / (horizon or 1) - 1), -0.5) * 0.9 for age in range(1, 4097)]
    growth = Growth(lengths, tuple(4e-6 * (1 + place) * n**power for n in lengths), power)
    kept = tuple(512 * (1 + place // 2) * (n if grows else 1) for n in lengths)
    recall = None if horizon is None else recall_of(explained, 0.01, 0.02)
    parameters = WEIGHTS.get(name, 40_000 * (1 + place))
    return CellResult(name, ("mqrnn", "deepar") if name == "lstm" else (), parameters, 128, 20.0 + 9 * place, 30.0 + 8 * place, growth,
                      Memory(lengths, kept, tuple(4 * k for k in kept)), recall)  # fmt: skip


def made_result() -> ProbeResult:
    cells = [made_cell(name, horizon, place) for place, (name, horizon) in enumerate(HORIZONS.items())]
    cells.append(made_cell(ATTENTION, None, 3, power=1.9, grows=True))
    stacks = tuple(
        StackResult(layers, residual, 0.02 * layers if residual else 0.02 * layers**2)
        for layers in (2, 4, 8)
        for residual in (True, False)
    )
    return ProbeResult(SETTINGS, "a processor, one thread, torch 2", tuple(cells), stacks, (100, 200), 61.0)
