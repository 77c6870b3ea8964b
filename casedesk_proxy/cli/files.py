"""Configuration files on disk: reading is I/O, so it is done here and not in config/."""

from __future__ import annotations

import os
from pathlib import Path

from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.load import LoadedConfig, load_config
from casedesk_proxy.config.tree import MAX_TEXT_CHARS

__all__ = ["read_config", "write_new"]


def read_config(path: Path) -> LoadedConfig:
    """Raises ConfigError, also for a file that cannot be read or is not text."""
    try:
        with path.open("rb") as opened:
            data = opened.read(4 * MAX_TEXT_CHARS + 1)
    except OSError as error:
        remedy = ""
        if isinstance(error, FileNotFoundError):
            remedy = "name yours with --config FILE; `casedesk-proxy init` writes a first one"
        elif isinstance(error, PermissionError):
            # The service's user owns no file.
            remedy = f"chmod a+r {path}; nodes' keys belong in files of their own"
        elif isinstance(error, IsADirectoryError):
            remedy = "name the file in it"
        raise _unreadable(path, error.strerror or "cannot be read", remedy) from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        remedy = f"line {line} has other bytes; save the file as UTF-8"
        raise _unreadable(path, "is not UTF-8", remedy) from None
    return load_config(text, str(path))


def write_new(path: Path, text: str, *, replace: bool) -> None:
    """Write a whole file or none. Raises FileExistsError unless ``replace``, else OSError."""
    if not replace:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(text)
        return
    # A rename is atomic, so a reader never sees half a file; the process id keeps two writers
    # apart.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _unreadable(path: Path, message: str, remedy: str) -> ConfigError:
    return ConfigError([Complaint("", message, str(path), remedy=remedy)])
