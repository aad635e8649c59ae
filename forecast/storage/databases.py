"""Connections to SQL databases: the address comes from the environment, and what an error says of it never holds a password.

It must not know what is read or written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from forecast.core.errors import ConfigError, ForecastError

DEFAULT_VARIABLE = "FORECAST_DATABASE_URL"


def address(variable: str) -> sa.URL:
    """Returns the database address that a variable of the environment holds, such as `postgresql+psycopg://user:password@host/name`.

    Raises:
        ConfigError: the variable is not set, or holds no address.
    """
    text = os.environ.get(variable, "")
    if not text:
        raise ConfigError(
            f"the environment has no variable {variable}; put the address of the database there, as in postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        )
    try:
        return sa.make_url(text)
    except ArgumentError as error:
        raise ConfigError(
            f"the variable {variable} holds no address of a database (its text is not shown); give one as in sqlite:////data/sales.db"
        ) from error


@contextmanager
def connected(variable: str, failure: type[ForecastError]) -> Iterator[sa.Connection]:
    """Opens a connection with one transaction around the block: all of it is committed, or nothing.

    Raises:
        ConfigError: no address, or one whose driver is not installed.
        failure: whatever the database refuses, without the password of the address.
    """
    url = address(variable)
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(
            f"the driver of {url.drivername} is not installed ({error}); install the extra `postgres`, or the driver of your database"
        ) from error
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise failure(f"{shown(url)}: {_first_line(error, url)}; check the statement, the rights and the server") from None
    finally:
        engine.dispose()


def shown(url: sa.URL) -> str:
    """Returns an address without user and password."""
    place = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
    return f"{url.get_backend_name()} {place}/{url.database or ''}".replace(" /", " ", 1)


def _first_line(error: SQLAlchemyError, url: sa.URL) -> str:
    """What the driver says, on one line, with the password blotted out wherever it stands."""
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(cause).split())[:300]
    return text.replace(str(url.password), "***") if url.password else text
