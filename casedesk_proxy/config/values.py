"""Field types of the schema that YAML does not have: sizes, durations, addresses, names.

Each takes the value in the file and returns the value that the program uses, or raises a
``PydanticCustomError`` of type ``complaint`` with a message that continues after the key
("nodes.gpu0.url: must …") and, in its context, a ``remedy``. No message repeats a value that may be
a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StrictStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from casedesk_proxy.config.units import parse_duration, parse_size

__all__ = [
    "AbsolutePath",
    "Address",
    "Duration",
    "Listen",
    "ModelName",
    "Name",
    "Pause",
    "Sha256",
    "Size",
    "Switch",
    "complain",
    "is_model_name",
    "parse_listen",
]


def complain(message: str, remedy: str = "") -> PydanticCustomError:
    """An error that the loader turns into a Complaint unchanged."""
    return PydanticCustomError("complaint", "{message}", {"message": message, "remedy": remedy})


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: ``host`` and ``port``, or the ``path`` of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def clashes_with(self, other: Address) -> bool:
        """Whether both cannot be bound at once. Port 0 asks the system for a free port."""
        if self.path is not None or other.path is not None:
            return self.path == other.path
        if self.port != other.port or self.port == 0:
            return False
        return self.host == other.host or not {self.host, other.host}.isdisjoint(("0.0.0.0", "::"))

    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.path is not None or (
            self.host in ("localhost", "::1") or self.host.startswith("127.")
        )


_LISTEN = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})", re.ASCII)
_FORMS = "write host:port, [v6]:port or unix:/path"


def parse_listen(text: str) -> Address:
    """Raises PydanticCustomError, a ValueError."""
    if text.startswith("unix:"):
        path = text[len("unix:") :]
        if not path.startswith("/") or "\0" in path:
            raise complain("needs an absolute path after unix:", "for example unix:/run/proxy.sock")
        if len(path.encode()) > 107:  # sun_path holds 108 bytes with its NUL, unix(7)
            raise complain("is too long for a Unix socket", "use at most 107 bytes")
        return Address(path=path)
    match = _LISTEN.fullmatch(text)
    if match is None:
        if text.isascii() and text.lstrip(":*").isdigit():
            raise complain("has no host", f"write 127.0.0.1:{text.lstrip(':*')}")
        raise complain("is not an address to listen on", _FORMS)
    if int(match[3]) > 65535:
        raise complain("has a port above 65535", _FORMS)
    return Address(host=match[1] or match[2], port=int(match[3]))


def _check_listen(text: str) -> str:
    parse_listen(text)
    return text


def _check_path(text: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise complain("must be an absolute path", "begin it with /")
    return text


def _check_sha256(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    if text.startswith("cdp-"):
        raise complain(
            "is the key itself, readable by anyone who reads this file",
            "create a new one with `casedesk-proxy key new` and paste the hash it prints",
        )
    raise complain(
        f"is not a SHA-256 hash: it has {len(text)} characters, not 64 hexadecimal digits",
        "`casedesk-proxy key new` prints one",
    )


def _matching(pattern: str, what: str, remedy: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise complain(what, remedy)
        return text

    return check


def is_model_name(text: str) -> bool:
    """Whether a configuration may use the text as a model's name."""
    return 0 < len(text) <= 512 and text.isprintable() and text == text.strip()


def _check_model(text: str) -> str:
    if not is_model_name(text):
        raise complain("is not a model name", "write it as the node lists it, without spaces")
    return text


def _read(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise complain(str(error)) from error

    return read


def _read_switch(value: object) -> bool:
    """YAML 1.1's yes and no reach us as booleans; quoted ones are refused like any text."""
    if isinstance(value, bool):
        return value
    raise complain("is neither true nor false", "write true or false, without quotes")


def _check_pause(seconds: float) -> float:
    if seconds == 0:
        raise complain("must be longer than 0", "write for example 5s")
    return seconds


def _text(pattern: str) -> WithJsonSchema:
    """For editors; the checks above decide."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


_DURATION = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?|(\d+(\.\d+)?(ms|s|m|h|d))+)\s*$"},
    ]
}
_SIZE = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)? ?([KkMmGg]?[Bb]|[KkMmGg][Ii][Bb])?\s*$"},
    ]
}

Size = Annotated[int, BeforeValidator(_read(parse_size)), WithJsonSchema(_SIZE)]
Duration = Annotated[float, BeforeValidator(_read(parse_duration)), WithJsonSchema(_DURATION)]
#: A duration that must not be 0.
Pause = Annotated[Duration, AfterValidator(_check_pause)]
Switch = Annotated[bool, BeforeValidator(_read_switch)]
Listen = Annotated[
    StrictStr,
    AfterValidator(_check_listen),
    _text(r"^(unix:/.+|\[[0-9a-fA-F:.]+\]:\d+|[^:]+:\d+)$"),
]
AbsolutePath = Annotated[StrictStr, AfterValidator(_check_path), _text(r"^/")]
Sha256 = Annotated[StrictStr, AfterValidator(_check_sha256), _text(r"^[0-9a-fA-F]{64}$")]
ModelName = Annotated[StrictStr, AfterValidator(_check_model)]
#: Names of nodes, deployments and keys: they are used unchanged in URLs, logs and metrics.
Name = Annotated[
    StrictStr,
    AfterValidator(
        _matching(
            r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}",
            "is not a name: letters, digits and . _ - @ + are allowed, the first a letter or digit",
            "choose another name",
        )
    ),
]
