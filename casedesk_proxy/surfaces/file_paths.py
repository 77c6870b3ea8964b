"""The paths of the Files APIs: Gemini's, Anthropic's and OpenAI's, after mount and versions.

The rest of an upload is sent to its own URL, which is the permission: Google's Python SDK sends no
key there.
"""

from __future__ import annotations

import re

from casedesk_proxy.errors import NotFound
from casedesk_proxy.surfaces.gemini_paths import wrong_method
from casedesk_proxy.surfaces.request_target import decode
from casedesk_proxy.terms import Action, Call, Dialect
from casedesk_proxy.wire.query import cut_key, read_pairs

__all__ = ["UPLOAD_ID", "find_upload_mount", "is_file_path", "read_file_call"]

#: The parameter with an upload's permit.
UPLOAD_ID = "upload_id"
_VERSIONS = r"(?:(v1|v1beta|v1alpha|v1beta1)/)*"
_UPLOAD = re.compile(rf"upload/{_VERSIONS}files")
#: Google's SDKs put a URI that is not https unchanged after ``files/`` to name a file.
_FILE = re.compile(r"files(?:/(?:http:/{1,2}.*/files/)?([^/]+)(/content)?)?")
#: For clients that put ``upload`` before a base URL's own path.
_UPLOAD_MOUNT = re.compile(r"/upload(/(?:proxy/[^/]+/gemini|gemini|genai))(?:/(.*))?")
_DOWNLOAD = re.compile(r"(.+)(?::|%3a)download", re.IGNORECASE)
_REGISTER = re.compile(r"files(?::|%3a)register", re.IGNORECASE)
_PLAIN_VERSIONS = {"v1": "v1"}


def find_upload_mount(path: str) -> str:
    """``/upload/proxy/d/gemini/v1/files`` as ``/proxy/d/gemini/upload/v1/files``; any other path
    unchanged."""
    found = _UPLOAD_MOUNT.fullmatch(path)
    return path if found is None else f"{found[1]}/upload/{found[2] or ''}"


def is_file_path(rest: str) -> bool:
    """Whether a path after its versions belongs to a Files API."""
    return (
        _FILE.fullmatch(rest) is not None
        or _UPLOAD.fullmatch(rest) is not None
        or _REGISTER.fullmatch(rest) is not None
    )


def read_file_call(
    method: str, surface: Dialect, deployment: str | None, version: str, rest: str, query: str
) -> Call:
    """What a request to such a path asks for. Raises BadRequest (405) for a wrong method, NotFound
    for a path that is not served."""
    action, ident = Action.UPLOAD_FILE, ""
    if surface is Dialect.GEMINI:
        version = version or "v1beta"
        if (found := _UPLOAD.fullmatch(rest)) is not None:
            if method != "POST":
                raise wrong_method("POST")
            version = _PLAIN_VERSIONS.get(found[1] or version, "v1beta")
            ident = dict(read_pairs(query)).get(UPLOAD_ID, "")
            if ident:
                action = Action.RESUME_UPLOAD
        else:
            action, ident = _read_gemini(method, rest)
    elif surface not in (Dialect.ANTHROPIC, Dialect.OPENAI) or not _FILE.fullmatch(rest):
        raise NotFound(
            f"the Files API is not served on the {surface} surface; use Gemini's, Anthropic's"
            " or OpenAI's"
        )
    else:
        action, ident = _read_plain(method, rest)
        version = ""
    return Call(surface, action, deployment, version=version, query=cut_key(query), file=ident)


def _read_gemini(method: str, rest: str) -> tuple[Action, str]:
    if _REGISTER.fullmatch(rest):
        raise NotFound(
            "files:register is not served here: it registers gs:// URIs, which only Google reads;"
            " upload the file instead"
        )
    found = _FILE.fullmatch(rest)
    if found is None or found[2]:
        raise NotFound("the Files API has no such path; use files/{id}")
    if found[1] is None:
        return _choose(method, {"GET": Action.LIST_FILES, "POST": Action.CREATE_FILE}), ""
    if (download := _DOWNLOAD.fullmatch(found[1])) is not None:
        return _choose(method, {"GET": Action.FILE_CONTENT}), decode(download[1])
    wanted = _choose(method, {"GET": Action.GET_FILE, "DELETE": Action.DELETE_FILE})
    return wanted, decode(found[1])


def _read_plain(method: str, rest: str) -> tuple[Action, str]:
    found = _FILE.fullmatch(rest)
    assert found is not None
    if found[1] is None:
        return _choose(method, {"GET": Action.LIST_FILES, "POST": Action.UPLOAD_FILE}), ""
    if found[2]:
        return _choose(method, {"GET": Action.FILE_CONTENT}), decode(found[1])
    wanted = _choose(method, {"GET": Action.GET_FILE, "DELETE": Action.DELETE_FILE})
    return wanted, decode(found[1])


def _choose(method: str, actions: dict[str, Action]) -> Action:
    if method not in actions:
        raise wrong_method(", ".join(actions).replace("GET", "GET, HEAD"))
    return actions[method]
