"""The command line answers at once: it imports what a verb needs when the verb runs."""

from __future__ import annotations

import subprocess
import sys
import time

HEAVY = (
    "torch",
    "pytorch_lightning",
    "mlflow",
    "statsforecast",
    "sklearn",
    "scipy",
    "plotly",
    "pandera",
    "statsmodels",
    "holidays",
)
SECONDS = 2.0  # half a second on an idle machine; the rest is for a busy one

PROGRAM = """
import sys
sys.argv = ["forecast", "--help"]
from pipelines.cli import main
try:
    code = main()
except SystemExit as end:
    code = end.code
assert not code, code
print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def _run() -> tuple[float, set[str]]:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, set(done.stdout.splitlines()[-1].split()[1:])


def test_help_imports_no_heavy_library_and_answers_at_once() -> None:
    seconds, imported = _run()
    assert not imported & set(HEAVY)
    assert min(seconds, _run()[0], _run()[0]) < SECONDS
