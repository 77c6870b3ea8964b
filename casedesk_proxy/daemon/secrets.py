"""The nodes' own keys, and other secrets, from the configured places."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.schema import Config, Secret
from casedesk_proxy.config.settings import spell

__all__ = ["find_exposed", "read_secret", "resolve_secrets"]

#: No provider's key is longer; a larger file is the wrong file.
MAX_SECRET_BYTES = 16384

#: The characters that a header may contain: others would be refused, or would split the request.
_HEADER_TEXT = re.compile(r"[!-~]+")


def resolve_secrets(
    config: Config,
    environ: Mapping[str, str],
    credentials_directory: str | None,
    *,
    file: str = "config",
) -> dict[str, str]:
    """Keys by node name, for nodes that have one; ``credentials_directory`` is systemd's.

    One newline at the end of a file is not part of the key. Raises ConfigError with a complaint for
    every key that is missing or cannot be sent in a header; no complaint contains a key.
    """
    found: dict[str, str] = {}
    complaints: list[Complaint] = []
    for name, node in config.nodes.items():
        if node.api_key is None:
            continue
        try:
            found[name] = _check(_read(node.api_key, environ, credentials_directory))
        except _UnusableError as error:
            path = spell(("nodes", name, "api_key"))
            complaints.append(Complaint(path, error.message, file, remedy=error.remedy))
    if complaints:
        raise ConfigError(complaints)
    return found


def read_secret(
    secret: Secret,
    path: str,
    environ: Mapping[str, str],
    directory: str | None,
    *,
    file: str = "config",
) -> str:
    """Another secret, the value of the setting ``path``. Raises ConfigError."""
    try:
        return _read(secret, environ, directory).strip()
    except _UnusableError as error:
        raise ConfigError([Complaint(path, error.message, file, remedy=error.remedy)]) from error


def find_exposed(config: Config, *, file: str = "config") -> list[Complaint]:
    """Warnings about key files that every user of the machine can read."""
    warnings = []
    for path, secret in _list_secrets(config):
        if secret is not None and secret.file is not None and _is_readable_by_all(secret.file):
            message = f"everyone on this machine can read {secret.file}"
            remedy = f"chmod o-rwx {secret.file}"
            warnings.append(Complaint(spell((*path, "file")), message, file, remedy=remedy))
    return warnings


def _list_secrets(config: Config) -> Iterator[tuple[tuple[str, ...], Secret | None]]:
    """The secrets with their paths in the configuration."""
    for name, node in config.nodes.items():
        yield ("nodes", name, "api_key"), node.api_key
    yield ("ledger", "url"), config.ledger.url
    if (shared := config.files.s3) is not None:
        yield ("files", "s3", "access_key"), shared.access_key
        yield ("files", "s3", "secret_key"), shared.secret_key


class _UnusableError(Exception):
    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def _read(secret: Secret, environ: Mapping[str, str], directory: str | None) -> str:
    if secret.env is not None:
        if not environ.get(secret.env):
            raise _UnusableError(
                f"the environment variable {secret.env} is not set",
                "set it, under systemd with Environment= or EnvironmentFile=",
            )
        return environ[secret.env]
    if secret.file is not None:
        return _read_file(Path(secret.file), "check its path and its owner")
    if secret.credential is not None:
        remedy = _credential_remedy(secret.credential)
        if directory is None:
            message = f"systemd passed no credential named {secret.credential}"
            raise _UnusableError(message, remedy)
        if os.path.exists(os.path.join(directory, f"key_{secret.credential}")):
            # The name that the shipped units give to the files in /etc/casedesk-proxy/keys.
            remedy = f"write {{credential: key_{secret.credential}}}"
        return _read_file(Path(directory, secret.credential), remedy)
    assert secret.inline is not None, "the schema requires exactly one source"
    return secret.inline


def _credential_remedy(credential: str) -> str:
    """The shipped units pass the files of one folder, with a prefix before their names."""
    file = credential.removeprefix("key_")
    start = (
        f"write it to /etc/casedesk-proxy/keys/{file} and restart, or "
        if file != credential
        else ""
    )
    return f"{start}add LoadCredential={credential}:/path to the unit"


def _read_file(path: Path, remedy: str) -> str:
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise _UnusableError(f"cannot read {path}: {error.strerror}", remedy) from error
    if len(data) > MAX_SECRET_BYTES:
        raise _UnusableError(f"{path} is too large for a key", "it must hold nothing else")
    text = data.decode("utf-8", "replace")
    return text.removesuffix("\n").removesuffix("\r")


def _check(secret: str) -> str:
    if not secret:
        raise _UnusableError("the key is empty", "store it there")
    if not _HEADER_TEXT.fullmatch(secret):
        message = (
            "the key contains spaces, line breaks or other characters that are not allowed in a"
            " header"
        )
        raise _UnusableError(message, "store only the key there")
    return secret


def _is_readable_by_all(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
