"""`forecast export`: a saved network as an ONNX file whose state goes in and comes out, compared with the original before it is written.

It must not train, nor know MLflow's files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast, final

from forecast.core.errors import ModelNotFound, UsageError
from forecast.core.panel import Panel
from forecast.factory import rebuild
from forecast.storage.bundle import LoadedBundle, load_bundle
from forecast.storage.sources.csv_source import CsvSource
from forecast.storage.sources.parquet_source import ParquetSource
from forecast.tracking.model_source import RegistryModelSource
from pipelines.console import Console

if TYPE_CHECKING:
    from forecast.exporting.export import Exported
    from forecast.neural.forecaster import NeuralForecaster

_PARQUET = (".parquet", ".pq")


@final
@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the options of the command line say.

    model: a bundle's folder, or NAME@ALIAS of the registry at `tracking`. data: a long table to compare on; None makes one.
    """

    model: str
    output: Path
    int8: bool = False
    data: Path | None = None
    tracking: str = "mlruns"


def export(request: ExportRequest) -> list[Exported]:
    """Writes the exported model and returns how the original and each file did.

    Raises:
        UsageError: onnx or onnxruntime is not installed, or data that do not fit the model.
        ModelNotFound: no such folder, name or alias.
        ModelError: a model that is no recurrent network with a step written out.
        GateError: the exported model answers differently; nothing was written.
    """
    _require_installed()
    from forecast.exporting.export import export as write

    bundle, version = _bundle(request)
    forecaster = _network(bundle)
    panel = _panel(request, bundle, forecaster)
    return write(forecaster, panel, request.output, version=version, int8=request.int8)


def show(report: Sequence[Exported], request: ExportRequest, console: Console) -> None:
    """Writes the table to stdout."""
    rows = [
        (
            one.name, f"{one.size / 1024:,.0f}" if one.size else "", "" if one.microseconds is None else f"{one.microseconds:.0f}",
            f"{one.absolute:.1e}", f"{one.relative:.1e}", f"{one.mase:.4f}", f"{one.wql:.4f}",
        )
        for one in report
    ]  # fmt: skip
    columns = ["what", "KiB", "us per step", "largest difference", "relative", "MASE", "WQL"]
    console.table(f"Exported to {request.output}", columns, rows, right=columns[1:])


def _require_installed() -> None:
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UsageError(f"forecast export needs {' and '.join(missing)}: pip install 'forecast-recurrent[onnx]'")


def _bundle(request: ExportRequest) -> tuple[LoadedBundle, str]:
    """The bundle and its version: a folder, or what an alias names."""
    folder = Path(request.model)
    if folder.is_dir():
        bundle = load_bundle(folder)
        return bundle, f"bundle:{bundle.digest[:12]}"
    name, at, alias = request.model.partition("@")
    if not at:
        raise ModelNotFound(f"there is no folder {request.model}; give a bundle's folder, or NAME@ALIAS of the registry")
    return RegistryModelSource(request.tracking, name, request.output / "_models", rebuild, alias).fetch_bundle()


def _network(bundle: LoadedBundle) -> NeuralForecaster:
    """The forecaster, refused by the name of its kind before anything is rebuilt."""
    from forecast.exporting.step_graph import exportable

    kind = str(bundle.recipe.get("kind"))
    if kind not in exportable():
        raise UsageError(f"a model of kind {kind!r} has no step to export; those that have: {', '.join(exportable())}")
    return cast("NeuralForecaster", rebuild(bundle.recipe, bundle.weights))


def _panel(request: ExportRequest, bundle: LoadedBundle, forecaster: NeuralForecaster) -> Panel:
    """The panel of the data, or one that is made up."""
    if request.data is None:
        from forecast.exporting.made_panel import made_panel

        seasons = bundle.frequency.season_lengths
        return made_panel(bundle.frequency, bundle.roles, seasons, 2 * forecaster.network.lead + 3 * forecaster.horizon + 100)
    if bundle.roles.static:
        raise UsageError(
            f"the model has the static covariates {list(bundle.roles.static)}, which a table does not hold; leave out --data"
        )
    columns = (*bundle.roles.known, *bundle.roles.past)
    kind = ParquetSource if request.data.suffix in _PARQUET else CsvSource
    return Panel.from_frame(kind(request.data, covariates=columns).read("history"), bundle.frequency, bundle.roles)
