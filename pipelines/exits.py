"""The one place where an exception becomes a message and an exit code.

It must not know a verb.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable

from forecast.core.errors import ForecastError, SinkError
from forecast.scoring.stopping import Terminated, stoppable

INTERRUPTED = 130
INTERNAL = 70
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def run_guarded(command: Callable[[], object]) -> int:
    """Runs a command and returns the exit code of the process.

    0 done; 2 usage; 65 to 81 from the error tree; 70 internal, with the traceback in a file; 73 disk full; 130 and 143 for signals.
    """
    try:
        with stoppable():
            command()
    except SystemExit as exit_request:
        return _code(exit_request)
    except ForecastError as error:
        return _say(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except Terminated as end:
        return _say(f"terminated: {end}", end.exit_code)
    except Exception as error:  # the only one: nothing may reach the user as a traceback
        if isinstance(error, OSError) and error.errno in _FULL:
            return _say(f"error: the output cannot be written ({error}); make room, or choose another place", SinkError.exit_code)
        return _say(f"internal error: {type(error).__name__}: {error}; the traceback is in {_keep_traceback()}", INTERNAL)
    return 0


def _code(exit_request: SystemExit) -> int:
    if exit_request.code is None:
        return 0
    return exit_request.code if isinstance(exit_request.code, int) else 1


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


def _keep_traceback() -> str:
    """Writes the traceback being handled to a file of its own and returns the path."""
    handle, path = tempfile.mkstemp(prefix="forecast-error-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(traceback.format_exc())
    return path
