"""Each surface's errors for a file that does not exist, or that cannot be stored."""

from __future__ import annotations

from casedesk_proxy.errors import (
    Busy,
    ClientFault,
    Forbidden,
    NotFound,
    ProxyError,
    TooLarge,
    Violation,
)
from casedesk_proxy.filing.draft import FileFault, Why
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wording import MAX_PATH_CHARS, bounded

__all__ = ["explain_fault", "missing_file", "no_store"]

_BUSY_RETRY_AFTER_S = 1.0
#: Google and Anthropic report a used-up quota, OpenAI a wrong request.
_FULL_STATUS = {Dialect.GEMINI: 429, Dialect.ANTHROPIC: 403}


def missing_file(surface: Dialect, asked: str, path: str = "") -> ProxyError:
    """The error for a file that does not exist, in the words of the surface's vendor. It is the
    same for a file that never existed, has expired or belongs to another key: the client must not
    learn which. ``asked``: the client's name of it; ``path``: its place in a request's body, if it
    is there."""
    name = bounded(asked, MAX_PATH_CHARS)
    error: type[NotFound] | type[Forbidden] = NotFound
    message = f"No such File object: {name}"
    if surface is Dialect.GEMINI:
        error, plain = Forbidden, name.removeprefix("files/")
        message = f"You do not have permission to access the File {plain} or it may not exist."
    elif surface is Dialect.ANTHROPIC:
        message = f"File not found: {name}"
    violations = (Violation(path, message),) if path else ()
    return error(message, code="file_not_found", violations=violations)


def explain_fault(surface: Dialect, fault: FileFault) -> ProxyError:
    """The error for a failed upload."""
    match fault.why:
        case Why.TOO_LARGE:
            return TooLarge(
                f"the file is larger than {fault.most} bytes, which is files.max_file or the size"
                " that was announced; send a smaller file, or announce its whole size",
                code="file_too_large",
            )
        case Why.KEY_FULL:
            return _full(
                surface,
                f"the files of your key would have more than {fault.most} bytes (files.per_key);"
                " delete some, or wait until they expire",
            )
        case Why.STORE_FULL:
            return _lasting(
                Busy(
                    "the file store is full (files.total, or its disk); delete files, or wait"
                    " until some expire",
                    status=503,
                    code="file_store_full",
                )
            )
        case Why.NAME_TAKEN:
            return ClientFault(
                "file.name: you already have a file with this name; delete it, or choose"
                " another name",
                status=409,
                code="file_exists",
            )
        case Why.UPLOAD_BUSY:
            return ClientFault(
                "another request is writing to this upload; send the command query to see how"
                " far it is",
                status=409,
                code="upload_busy",
                retry_after=_BUSY_RETRY_AFTER_S,
            )
        case _:
            return NotFound(
                "no such upload: it has ended, was cancelled, or was idle for an hour; start a"
                " new one",
                code="upload_not_found",
            )


def no_store(*, is_enabled: bool) -> ProxyError:
    why = "the proxy has no state file" if is_enabled else "files.enabled is false"
    return NotFound(
        f"files are not served here: {why}; send the bytes inline", code="files_unsupported"
    )


def _full(surface: Dialect, message: str) -> ProxyError:
    status = _FULL_STATUS.get(surface, 400)
    return _lasting(ClientFault(message, status=status, code="file_quota_reached"))


def _lasting(error: ProxyError) -> ProxyError:
    """Repeating the request would not help."""
    error.repeatable = False
    return error
