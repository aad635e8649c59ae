"""Finds the configurations and the sample data that travel with the project: inside an installed wheel, or in a checkout.

It must not read them.
"""

from __future__ import annotations

from pathlib import Path

from forecast.core.errors import ConfigError

_HERE = Path(__file__).resolve().parent
_ROOTS = (_HERE / "_shipped", _HERE.parent)
_FOLDERS = ("configs", "data")


def locate(name: str) -> Path:
    """Returns the path of a shipped file or folder, such as `data/sample/sales.parquet`.

    Raises:
        ConfigError: nothing of that name travels with the project.
    """
    if Path(name).parts[:1] and Path(name).parts[0] in _FOLDERS and ".." not in Path(name).parts:
        for root in _ROOTS:
            if (root / name).exists():
                return root / name
    raise ConfigError(f"'shipped:{name}' does not travel with the project; shipped are configs/... and data/sample/...")


def configurations() -> list[Path]:
    """Returns all shipped configuration files, in order."""
    return sorted(locate("configs").rglob("*.yaml"))
