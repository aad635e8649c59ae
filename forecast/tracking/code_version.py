"""Which code made a run: the version of the package and, in a checkout, the commit. It must not know MLflow."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_GIT_SECONDS = 5.0
DISTRIBUTION = "forecast-recurrent"


@cache
def git_commit() -> str | None:
    """Returns the commit of the checkout that this code runs from; None outside of one."""
    return _git("rev-parse", "HEAD") if (_ROOT / ".git").exists() else None


@cache
def package_version() -> str:
    """Returns the version of the installed package; `0` where it is not installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0"


@cache
def code_version() -> str:
    """Returns the version, with the commit and `.changed` for uncommitted changes: `0.1.0+g1a2b3c4d5e6f.changed`."""
    commit = git_commit()
    if commit is None:
        return package_version()
    changed = ".changed" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{package_version()}+g{commit[:12]}{changed}"


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
