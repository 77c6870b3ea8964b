"""The URL of a node: http, https, or http+unix with the absolute path of a socket."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote, unquote, urlsplit

from pydantic import AfterValidator, StrictStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from casedesk_proxy.config.values import Address, complain, parse_listen

__all__ = ["ON_SOCKET", "NodeUrl", "socket_path", "without_endpoint"]

#: The URL of requests to a node on a Unix socket: each engine accepts that name as its own.
ON_SOCKET = "http://localhost"
_UNIX = "http+unix:"
_EXAMPLE = "http+unix:///run/llama.sock"

#: Typographic quotes, as text processors make them.
_CURLY = "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
#: URLs without a scheme, and with an IPv6 address in its usual form.
_BARE = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}/?", re.ASCII)
_COLONS = re.compile(r"(https?://)([0-9a-fA-F.]*:[0-9a-fA-F:.]*:[0-9a-fA-F.]*):(\d{1,5})/?")


#: The ends of engines' request URLs, which do not belong to a node's URL.
_ENDPOINT = re.compile(
    r"(?i)/(?:(?:v1[a-z0-9]*|api|openai)/)*(?:"
    r"chat/completions|completions?|messages(?:/count_tokens)?|embeddings?|embed|responses|rerank"
    r"|models(?:/[^?#]*)?|chat|generate(?:_stream)?|tags|show|ps|pull|version|tokenize|detokenize"
    r"|props|slots|health|metrics|info|get_model_info|get_server_info)/?$"
)


def without_endpoint(url: str) -> str | None:
    """A node's URL from the URL of one of its requests; None if it is not such a URL.

    >>> without_endpoint("http://127.0.0.1:11434/api/chat")
    'http://127.0.0.1:11434'
    """
    scheme, slashes, rest = url.rpartition("://")
    short = _ENDPOINT.sub("", rest)
    return scheme + slashes + short if short != rest else None


def socket_path(url: str) -> str | None:
    """The Unix socket that a checked URL names; None for any other URL. Nothing follows
    the path: requests go to the root of the server there.

    >>> socket_path("http+unix:///run/llama.sock")
    '/run/llama.sock'
    """
    return unquote(url[len(_UNIX) + 2 :]) if url.startswith(_UNIX) else None


def _check_url(text: str) -> str:
    if not text.isascii() or not text.isprintable() or any(c in text for c in ' "<>\\^`{|}'):
        raise complain("contains characters that are not allowed in a URL", _mend_characters(text))
    if text.partition(":")[0].lower() in ("http+unix", "https+unix", "unix"):
        return _check_socket(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise complain("is not a URL", _mend_port(text)) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        bare = without_endpoint(text) or re.sub(r"/v1[a-z0-9]*/?$", "", text)
        remedy = f"write http://{bare}" if _BARE.fullmatch(bare) else "write http://host:port"
        raise complain("is not an http or https URL", remedy)
    if "@" in parts.netloc:
        raise complain("contains a user name or password", "put the node's key into api_key")
    if "?" in text or "#" in text:
        raise complain("contains a query or a fragment", "end it after the path")
    if any(part in (".", "..") for part in parts.path.split("/")):
        raise complain("contains . or .. in its path", "write the path out")
    return text.rstrip("/")


def _check_socket(text: str) -> str:
    scheme, _, rest = text.partition(":")
    if scheme.lower() == "https+unix":
        raise complain("asks for TLS on a Unix socket", "write http+unix")
    if "?" in rest or "#" in rest:
        raise complain(
            "contains a query or a fragment", "percent-encode ? and # in a socket's path"
        )
    path = unquote(rest.removeprefix("//"))
    if scheme.lower() == "unix" or not rest.startswith("///") or rest.startswith("////"):
        raise complain(*_mend_socket(path))
    _check_socket_path(path)
    return f"{_UNIX}{rest}"


def _check_socket_path(path: str) -> Address:
    """The same rules as for a socket to listen on. Raises PydanticCustomError."""
    if not path.isprintable() or "\ufffd" in path:
        raise complain("contains characters that are not allowed in a path", "rename the socket")
    if path.endswith("/"):
        raise complain("names a folder, not a Unix socket", "remove the / at the end")
    if (behind := path.find(".sock/")) >= 0:
        remedy = f"write {_url(path[: behind + len('.sock')])}"
        raise complain("continues after the socket's path", remedy)
    return parse_listen(f"unix:{path}")


def _url(path: str) -> str:
    return f"{_UNIX}//{quote(path)}"


def _mend_socket(path: str) -> tuple[str, str]:
    """The fault of a socket's URL with too few or too many slashes, and the remedy."""
    plain = re.sub(r"^/+", "/", path)
    if not plain.startswith("/"):
        return "needs the absolute path of a Unix socket", f"write for example {_EXAMPLE}"
    try:
        _check_socket_path(plain)
    except PydanticCustomError:
        return "is not the URL of a Unix socket", f"write for example {_EXAMPLE}"
    return "is not the URL of a Unix socket", f"write {_url(plain)}"


def _mend_characters(text: str) -> str:
    if any(quote in text for quote in _CURLY):
        return "write its quotes as \" or '"
    return "remove the spaces" if text != text.strip() else "percent-encode them"


def _mend_port(text: str) -> str:
    """The remedy for an http URL without a port."""
    if (bare := _COLONS.fullmatch(text)) is not None:
        return f"put an IPv6 address in brackets: {bare[1]}[{bare[2]}]:{bare[3]}"
    return "write http://host:port, the port a number up to 65535"


NodeUrl = Annotated[
    StrictStr,
    AfterValidator(_check_url),
    WithJsonSchema({"type": "string", "pattern": r"^(https?://[^@?#]+|http\+unix:///[^?#]+)$"}),
]
