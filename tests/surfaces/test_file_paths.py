"""The paths of the Files APIs on every mount: the surface and the operation of each."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest, ClientFault, NotFound
from casedesk_proxy.surfaces.file_paths import is_file_path
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Action, Call, Dialect, RawHeaders

G, A, OAI = Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI
ANTHROPIC: RawHeaders = ((b"anthropic-version", b"2023-06-01"),)
GOOGLE: RawHeaders = ((b"x-goog-api-key", b"k"),)


def call(
    surface: Dialect, action: Action, deployment: str | None, file: str = "", version: str = ""
) -> Call:
    return Call(surface, action, deployment, version=version, file=file)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("POST /upload/v1beta/files", call(G, Action.UPLOAD_FILE, None, "", "v1beta")),
        ("POST /proxy/d/gemini/upload/v1/files", call(G, Action.UPLOAD_FILE, "d", "", "v1")),
        ("POST /proxy/d/gemini/v1beta/upload/v1beta/files",
         call(G, Action.UPLOAD_FILE, "d", "", "v1beta")),
        ("POST /upload/proxy/d/gemini/v1beta/files",
         call(G, Action.UPLOAD_FILE, "d", "", "v1beta")),
        ("POST /upload/genai/v1/files", call(G, Action.UPLOAD_FILE, None, "", "v1")),
        ("POST /genai/upload/v1alpha/files", call(G, Action.UPLOAD_FILE, None, "", "v1beta")),
        ("POST /upload/files", call(G, Action.UPLOAD_FILE, None, "", "v1beta")),
        ("POST /v1beta/files", call(G, Action.CREATE_FILE, None, "", "v1beta")),
        ("GET /genai/files", call(G, Action.LIST_FILES, None, "", "v1beta")),
        ("GET /proxy/d/gemini/v1/files", call(G, Action.LIST_FILES, "d", "", "v1")),
        ("GET /v1beta/files/x", call(G, Action.GET_FILE, None, "x", "v1beta")),
        ("DELETE /v1beta/files/x", call(G, Action.DELETE_FILE, None, "x", "v1beta")),
        ("GET /v1beta/files/x:download", call(G, Action.FILE_CONTENT, None, "x", "v1beta")),
        ("GET /v1beta/files/http://h:1/proxy/d/gemini/v1/files/x",
         call(G, Action.GET_FILE, None, "x", "v1beta")),
        ("GET /v1beta/files/http:/h/v1beta/files/x:download",
         call(G, Action.FILE_CONTENT, None, "x", "v1beta")),
        ("GET /v1beta/files/x%3Adownload", call(G, Action.FILE_CONTENT, None, "x", "v1beta")),
        ("POST /proxy/d/anthropic/v1/files", call(A, Action.UPLOAD_FILE, "d")),
        ("GET /proxy/d/anthropic/v1/files/file_x/content",
         call(A, Action.FILE_CONTENT, "d", "file_x")),
        ("GET /v1/files", call(OAI, Action.LIST_FILES, None)),
        ("GET /proxy/d/openai/v1/files/file-x", call(OAI, Action.GET_FILE, "d", "file-x")),
        ("DELETE /proxy/d/ollama/v1/files/file-x", call(OAI, Action.DELETE_FILE, "d", "file-x")),
        ("POST /v1beta/openai/files", call(OAI, Action.UPLOAD_FILE, None)),
    ],
)  # fmt: skip
def test_what_is_asked_for(asked: str, wanted: Call) -> None:
    method, path = asked.split()
    assert read_call(method, path, ()) == wanted


def test_an_upload_goes_on_at_its_own_url() -> None:
    found = read_call("POST", "/upload/v1/files?upload_id=a%2Bb&upload_protocol=resumable", ())
    assert (found.action, found.file, found.version) == (Action.RESUME_UPLOAD, "a+b", "v1")
    assert "a+b" not in repr(found)


def test_on_the_root_the_headers_say_whose_path_it_is() -> None:
    for headers, surface in ((ANTHROPIC, A), (GOOGLE, G), ((), OAI)):
        assert read_call("GET", "/v1/files/x", headers).surface is surface


def test_a_query_is_kept_but_for_the_key() -> None:
    assert read_call("GET", "/v1beta/files?pageSize=2&key=k", ()).query == "pageSize=2"


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("GET /upload/v1beta/files", "POST"),
        ("PUT /upload/v1beta/files?upload_id=x", "POST"),
        ("DELETE /v1beta/files", "GET, HEAD, POST"),
        ("POST /v1beta/files/x", "GET, HEAD, DELETE"),
        ("POST /v1beta/files/x:download", "GET, HEAD"),
        ("DELETE /v1/files/x/content", "GET, HEAD"),
    ],
)
def test_other_methods_are_not_allowed(asked: str, allowed: str) -> None:
    method, path = asked.split()
    with pytest.raises(BadRequest) as caught:
        read_call(method, path, ())
    assert (caught.value.status, caught.value.allow) == (405, allowed)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1beta/files:register", "files:register is not served here"),
        ("/v1beta/files/x/content", "no such path"),
        ("/proxy/d/openai/upload/v1/files", "not served on the openai surface"),
        ("/files/x", "not a known path"),
        ("/v1beta/files/x/y/z", "not served on the gemini surface"),
    ],
)
def test_what_is_not_served(path: str, message: str) -> None:
    with pytest.raises(ClientFault, match=message):
        read_call("POST", path, ())


@pytest.mark.parametrize("rest", ["filesx", "models/files", "uploads", "upload/x/files", "file"])
def test_what_is_no_such_path(rest: str) -> None:
    assert not is_file_path(rest)


def test_a_path_of_nobody_s_names_the_base_urls() -> None:
    with pytest.raises(NotFound, match="base URLs"):
        read_call("GET", "/files", ())
