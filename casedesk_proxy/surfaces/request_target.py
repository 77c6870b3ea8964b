"""Splits a raw request target into path and query, and checks it.

Targets are text in which invalid UTF-8 is kept as lone surrogates, as aiohttp does. All decisions
use the raw target or its result after exactly one percent-decoding; what still looks encoded after
that is only a name.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from casedesk_proxy.errors import BadRequest

__all__ = ["cut_versions", "decode", "split_target"]

#: The version that a node is asked for. v1beta1 is Vertex's v1beta; v1alpha is most similar to
#: v1beta.
_VERSIONS = {"v1": "v1", "v1beta": "v1beta", "v1alpha": "v1beta", "v1beta1": "v1beta"}
_AUTHORITY = re.compile(r"https?://[^/?]*", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")
_DOTS = frozenset({".", ".."})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: The most parameters of a query, each of which is decoded; vendors' APIs have up to ten.
_MAX_PARAMETERS = 256
_UNENCODED = re.compile(r"[\x00-\x20\x7f-\x9f#]")


def split_target(target: str) -> tuple[str, str]:
    """Path and query as on the wire, the path with ``//`` folded and without a slash at its end.
    The absolute form loses its scheme and authority (RFC 9112 section 3.2.2).

    Raises BadRequest for what no client means: control characters, blanks, ``#``, a query of
    hundreds of parameters, and in the path, also if percent-encoded, control characters, ``.`` or
    ``..`` as a segment, or invalid UTF-8.
    """
    if not target.startswith("/"):
        target = _cut_authority(target)
    if not (target.isascii() and target.isprintable()) or " " in target or "#" in target:
        _refuse_characters(target)
    path, _, query = target.partition("?")
    if query.count("&") >= _MAX_PARAMETERS:
        raise BadRequest(
            f"the query has more than {_MAX_PARAMETERS} parameters; send fewer",
            code="invalid_path",
        )
    if "%" in path or "/." in path or "\\" in path or not path.isascii():
        _refuse_path(decode(path))
    if "//" in path:
        path = _SLASHES.sub("/", path)
    return path.rstrip("/"), query


def decode(raw: str) -> str:
    """Percent-decoded once. Raises BadRequest if the bytes are not UTF-8."""
    if "%" not in raw and raw.isascii():
        return raw
    try:
        return unquote_to_bytes(raw.encode("utf-8", "surrogateescape")).decode("utf-8")
    except UnicodeError:
        raise BadRequest(
            "the path is not UTF-8; percent-encode it as UTF-8", code="invalid_path"
        ) from None


def cut_versions(rest: str) -> tuple[str, str]:
    """The version nearest the resource, or "". A base URL may have brought another before it:
    ``/v1beta/v1/models`` is google-genai 3.6.1 with a base that ends in /v1beta."""
    version = ""
    while True:
        segment, _, behind = rest.partition("/")
        found = _VERSIONS.get(segment)
        if found is None:
            return version, rest
        version, rest = found, behind


def _cut_authority(target: str) -> str:
    match = _AUTHORITY.match(target)
    if match is None:
        raise BadRequest(
            "the request target must be a path, such as /v1/models; make this proxy the client's"
            " base URL, not its HTTP proxy",
            code="invalid_path",
        )
    rest = target[match.end() :]
    return rest if rest.startswith("/") else f"/{rest}"


def _refuse_characters(target: str) -> None:
    found = _UNENCODED.search(target)
    if found:
        raise BadRequest(
            f"the request target contains {found[0]!a}, which must be percent-encoded",
            code="invalid_path",
        )
    try:
        target.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadRequest(
            "the request target is not UTF-8; percent-encode it as UTF-8", code="invalid_path"
        ) from None


def _refuse_path(decoded: str) -> None:
    if _CONTROLS.search(decoded):
        raise BadRequest("the path contains a control character; remove it", code="invalid_path")
    if not _DOTS.isdisjoint(decoded.replace("\\", "/").split("/")):
        raise BadRequest(
            "the path contains '.' or '..' as a segment; remove it", code="invalid_path"
        )
