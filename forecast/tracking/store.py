"""The door to MLflow: where it keeps its data, how long a call may take, and how it is kept quiet.

Everything of MLflow is imported through here, when first needed. A folder is an embedded store (SQLite and an artifact folder beside);
anything else is a server. It must not know runs or models.
"""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final
from urllib.parse import urlsplit

from forecast.core.errors import ConfigError, ForecastError, ModelNotFound, SinkError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"
_SQL_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_PROBE_SECONDS = 5.0
_LOCK_SECONDS = 60.0
# At MLflow's own settings a refused server costs 245 s a call. Two tries of 10 s keep any single call under 30 s; what a user sets stays.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


@final
@dataclass(frozen=True)
class Store:
    """An MLflow store. Make it with `Store.at`; nothing is opened before `client` is used.

    uri: what MLflow calls the tracking URI and, here, the registry URI too.
    folder: where an embedded store lives; None for a server.
    """

    uri: str
    folder: Path | None

    @classmethod
    def at(cls, place: str | Path) -> Store:
        """Returns the store at a folder (embedded), a `sqlite:///` path, an `http(s)://` server or a database URI.

        Raises:
            ConfigError: the retired file store, or a scheme that is none.
        """
        text = str(place)
        scheme = urlsplit(text).scheme
        if text.startswith(_SQLITE):
            file = Path(text.removeprefix(_SQLITE)).absolute()
            return cls(f"{_SQLITE}{file}", file.parent)
        if scheme in ("http", "https", "databricks", *_SQL_PORTS) or scheme.split("+")[0] in _SQL_PORTS:
            return cls(text, None)
        if "://" in text or scheme in ("file", "sqlite"):
            raise ConfigError(
                f"tracking: {text!r} is no store that can be used; give a folder (an embedded store), sqlite:///PATH, http(s)://HOST or postgresql://..."
            )
        folder = Path(text).absolute()
        return cls(f"{_SQLITE}{folder / 'mlflow.db'}", folder)

    @cached_property
    def client(self) -> MlflowClient:
        """The client of both runs and models; the first use opens the store, and makes an embedded one.

        Raises:
            SinkError: the store cannot be opened or reached.
        """
        with reaching(self.uri), unwarned():
            from mlflow import MlflowClient

            if self.folder is None:
                self._probe()
                return MlflowClient(self.uri, self.uri)
            return self._open_embedded()

    def artifacts(self) -> str | None:
        """Returns where a new experiment keeps its files: beside an embedded store; None lets the server choose."""
        return (self.folder / "artifacts").as_uri() if self.folder is not None else None

    def exists(self) -> bool:
        """Returns False for an embedded store that nobody has made; a server always may exist."""
        return self.folder is None or Path(self.uri.removeprefix(_SQLITE)).is_file()

    def how_to_open(self) -> str:
        """Returns the command or the address that shows the store in a browser."""
        if self.folder is not None:
            return f"mlflow ui --backend-store-uri {self.uri}"
        return self.uri if self.uri.startswith("http") else f"mlflow ui --backend-store-uri {self.uri.split('://')[0]}://..."

    def _open_embedded(self) -> MlflowClient:
        """Opens the SQLite store under a lock: two processes that first touch a new one race in its migrations."""
        from filelock import FileLock
        from mlflow import MlflowClient

        assert self.folder is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".mlflow.lock", timeout=_LOCK_SECONDS):
            client = MlflowClient(self.uri, self.uri)
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)
            return client

    def _probe(self) -> None:
        """Knocks at a database server: MLflow would try for minutes."""
        parts = urlsplit(self.uri)
        port = parts.port or _SQL_PORTS.get(parts.scheme.split("+")[0])
        if port is not None and parts.hostname and not self.uri.startswith("http"):
            socket.create_connection((parts.hostname, port), timeout=_PROBE_SECONDS).close()


def prepare() -> None:
    """Bounds and quietens MLflow in this process: no telemetry, banners or long retries. What the user has set stays."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def unwarned() -> Iterator[None]:
    """Silences warnings while MLflow is imported: they are about its own code, not about what is asked of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def reaching(uri: str, *, reading_a_model: bool = False) -> Iterator[None]:
    """Turns what MLflow, its HTTP client and its databases raise inside into one typed error.

    Args:
        uri: Named in the message, without user and password.
        reading_a_model: Raise ModelNotFound in place of SinkError.

    Raises:
        SinkError, ModelNotFound: as said.
    """
    prepare()  # before anything of MLflow is imported: it reads some settings only then
    from filelock import Timeout
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except ForecastError:
        raise
    except (MlflowException, RequestException, SQLAlchemyError, OSError, Timeout) as error:
        kind = ModelNotFound if reading_a_model else SinkError
        reason = " ".join(str(error).split())[:300]
        raise kind(
            f"MLflow at {without_password(uri)} did not do what was asked: {reason}; check that it runs and is reachable"
        ) from error


def without_password(uri: str) -> str:
    """Returns a URI that can be shown: user and password are left out."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else uri
