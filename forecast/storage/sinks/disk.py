"""File operations that survive a crash at any instant: everything that a job leaves behind is written through a Disk.

A file appears whole or not at all: temporary file, fsync, rename, fsync of the folder. Each step first passes a checkpoint, a
callable that does nothing in production and kills, fails or counts in the fault tests. It must not know what is written.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, final

from forecast.core.errors import SinkError

Checkpoint = Callable[[str], None]
TEMPORARY = ".tmp"
BUFFER_BYTES = 1 << 20


def no_checkpoint(step: str) -> None:
    """Does nothing: the checkpoint of production."""


@final
class Disk:
    """Durable file operations below one folder. Every OSError of theirs becomes a SinkError that names the path.

    root: the folder; it is made if it is not there.
    checkpoint: called with the name of each step before the step is done.
    """

    def __init__(self, root: Path, checkpoint: Checkpoint = no_checkpoint) -> None:
        self.root = root
        self._checkpoint = checkpoint
        self.make_folder(root)

    def make_folder(self, folder: Path) -> None:
        """Makes a folder and its parents, durably; one that is there is left alone.

        Raises:
            SinkError: it cannot be made.
        """
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        with _writing(folder):
            for path in reversed(missing):
                self._checkpoint("make folder")
                path.mkdir(exist_ok=True)
                self._sync_folder(path.parent)

    def write(self, path: Path, content: bytes) -> None:
        """Writes a small file whole or not at all, replacing an older one.

        Raises:
            SinkError: no space, no permission; the older file is unharmed.
        """
        with self.replacing(path) as file:
            file.write(content)

    @contextmanager
    def replacing(self, path: Path, staging: Path | None = None) -> Iterator[BinaryIO]:
        """Gives a file to write to; when the block ends well, `path` is that file, and before it is the older one or none.

        Args:
            path: Where the file will be; its folder is made.
            staging: Folder of the temporary file, on the same file system; the folder of `path` by default.

        Raises:
            SinkError: no space, no permission; the older file is unharmed.
        """
        staging = staging or path.parent
        temporary = staging / f"{path.name}{TEMPORARY}"
        self.make_folder(path.parent)
        self.make_folder(staging)
        with _writing(path):
            try:
                self._checkpoint("open")
                with io.FileIO(temporary, "w") as raw:
                    file = io.BufferedWriter(_Checked(raw, self._checkpoint), BUFFER_BYTES)
                    yield file
                    file.flush()
                    self._checkpoint("sync file")
                    os.fsync(raw.fileno())
                self._checkpoint("rename")
                os.replace(temporary, path)
                self._sync_folder(path.parent)
            finally:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def remove(self, path: Path) -> None:
        """Removes a file or a folder with all that is in it; nothing happens where there is none.

        Raises:
            SinkError: it cannot be removed.
        """
        with _writing(path):
            self._checkpoint("remove")
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _sync_folder(self, folder: Path) -> None:
        """A rename is durable only when its folder is on the disk."""
        self._checkpoint("sync folder")
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@final
class _Checked(io.RawIOBase):
    """A raw file whose every write passes the checkpoint, so that a test can stop in the middle of a file."""

    def __init__(self, file: io.FileIO, checkpoint: Checkpoint) -> None:
        super().__init__()
        self._file = file
        self._checkpoint = checkpoint

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        if self._file.closed:
            return len(content)  # what a failed write has left in the buffer goes with it
        self._checkpoint("write")
        return self._file.write(content)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns an OSError into a SinkError that says where and what to do."""
    try:
        yield
    except OSError as error:
        raise SinkError(
            f"cannot write {path}: {error.strerror or error}; free space or correct the permissions, then run again"
        ) from error
