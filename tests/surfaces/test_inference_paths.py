"""Paths of engines as clients write them, and refusals of those that administer a node."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from casedesk_proxy.engines.registry import ENGINES, INFERENCE_PATHS
from casedesk_proxy.errors import BadRequest, ClientFault, Forbidden, NotFound
from casedesk_proxy.surfaces.paths import guess_surface, read_call
from casedesk_proxy.terms import Action, Call, Dialect
from tests.fixtures.table import table

ADMINISTRATION = sorted(
    path for engine in ENGINES.values() for path in engine.administration.split()
)
#: How else a path may be written.
SPELLINGS = (
    "/{}", "/v1/{}", "//{}", "/{}/", "/{}?level=2", "/{}/0?action=erase",
    "/proxy/d/openai/v1/{}", "/proxy/d/openai/{}", "/proxy/d//openai//{}", "/openai/{}",
    "/proxy/d/node/{}", "/proxy/d/node//{}", "/proxy/d/node/v1/{}", "/proxy/d/node/{}?x=1",
    "http://host/proxy/d/node/{}",
)  # fmt: skip


@table("path", INFERENCE_PATHS)
@table("mount", ["", "/openai", "/proxy/d/openai", "/proxy/d/openai/v1", "/v1", "/proxy/d/node"])
def test_a_path_is_found_on_each_mount_and_stays_what_the_node_has(path: str, mount: str) -> None:
    call = read_call("POST", f"{mount}{path}?a=1&key=secret", ())
    wanted = INFERENCE_PATHS[path]
    assert (call.surface, call.action) == (Dialect.OPENAI, wanted.action)
    assert (call.path, call.query) == (path, "a=1") or mount.endswith("/v1")
    assert INFERENCE_PATHS[call.path].action is wanted.action
    assert call.deployment == ("d" if mount.startswith("/proxy") else None)
    assert call.names_no_model is mount.endswith("node")


@table(
    ("target", "path"),
    [
        ("/v1/tokenize", "/tokenize"),
        ("/rerank", "/rerank"),
        ("/v1/rerank", "/v1/rerank"),
        ("/v1/v2/rerank", "/v2/rerank"),
        ("/v1beta/openai/rerank", "/rerank"),
        ("/audio/speech", "/v1/audio/speech"),
        ("/proxy/d/node/audio/speech", "/v1/audio/speech"),
    ],
)
def test_versions_are_read_leniently(target: str, path: str) -> None:
    assert read_call("POST", target, ()).path == path


@table("path", ["/v1/rerank", "/infill", "/proxy/d/node/v1/audio/speech"])
def test_they_are_posted_to_in_openai_s_envelope(path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_call("GET", path, ())
    assert (caught.value.status, caught.value.allow) == (405, "POST")
    assert guess_surface(path, ()) is Dialect.OPENAI


@table("path", ["/genai/v1/rerank", "/proxy/d/anthropic/rerank"])
def test_other_surfaces_do_not_have_them(path: str) -> None:
    with pytest.raises(NotFound, match=r"belongs to OpenAI's API"):
        read_call("POST", path, ())


def test_paths_of_the_protocols_are_told_apart() -> None:
    assert read_call("POST", "/v1/completions", ()).action is Action.COMPLETE
    assert read_call("POST", "/completion", ()).action is Action.PLAIN_COMPLETION
    assert read_call("POST", "/v1/embeddings", ()).path == ""
    with pytest.raises(NotFound, match="for OpenAI's API the base URL is /proxy/d/openai/v1"):
        read_call("POST", "/proxy/d/node/v1/chat/completions", ())
    with pytest.raises(NotFound, match="no inference path of a node"):
        read_call("POST", "/proxy/d/node/etc/passwd", ())


def test_at_least_thirty_ways_to_administer_a_node_are_known() -> None:
    assert len(ADMINISTRATION) >= 60
    assert {"sleep", "collective_rpc", "slots", "props", "flush_cache", "api/pull"} <= {
        *ADMINISTRATION
    }


@table("path", ADMINISTRATION)
def test_administration_is_refused_however_it_is_written(path: str) -> None:
    encoded = "".join(f"%{ord(char):02x}" if char not in "/" else char for char in path)
    half = path[:-1] + f"%{ord(path[-1]):02X}"
    for spelling in SPELLINGS:
        for written in (path, encoded, half, path.upper(), path.replace("/", "%2F")):
            _require_refusal(spelling.format(written))


def _require_refusal(target: str) -> None:
    for method in ("POST", "GET", "PUT", "DELETE", "HEAD"):
        fate = _fate(method, target)
        if isinstance(fate, Forbidden):
            assert fate.code == "administration"
            assert "only inference is passed on" in fate.message
        elif isinstance(fate, Call):
            # A name of a model, which is looked up here and at no node.
            assert fate.action is Action.GET_MODEL, (method, target)
            assert "/models/" in target.lower().replace("%2f", "/")
        else:
            assert "models" in unquote(target).lower(), (method, target)
            assert fate.status in (400, 404, 405)


def _fate(method: str, target: str) -> Call | ClientFault:
    try:
        return read_call(method, target, ())
    except ClientFault as refused:
        return refused


@table("dots", ["/./sleep", "/x/../sleep", "/%2e%2e/sleep", "/proxy/d/node/.."])
def test_dots_are_refused_before_anything_is_read(dots: str) -> None:
    with pytest.raises(BadRequest, match="as a segment"):
        read_call("POST", dots, ())
