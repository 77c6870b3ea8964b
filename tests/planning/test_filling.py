"""Marks in planned requests become the contents of files."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from casedesk_proxy.errors import Unsupported
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.planning.filling import (
    MARK_BEGIN,
    MARK_CHARS,
    ContentPart,
    FileUse,
    FilledRoute,
    choose_stored,
    fill_plan,
    refer,
)
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.surfaces.file_references import FilePlace
from casedesk_proxy.terms import Action, Call, Dialect
from tests.planning.configs import make_snapshot

FILE = StoredFile("a" * 24, "alice", "n.bin", "image/png", 4, "00", 0.0, None)
MARK = MARK_BEGIN + "0" * MARK_CHARS
TEXT = """
nodes:
  local: {url: "http://127.0.0.1:9001", engine: llama-server, models: [m]}
  plain: {url: "http://127.0.0.1:9002", engine: openai, models: [m]}
deployments:
  d: {nodes: [local, plain], auth: none}
  only: {nodes: [local], auth: none}
"""


def plan_chat(part: Any, deployment: str = "d") -> tuple[Plan, dict[str, tuple[FileUse, ...]]]:
    """A chat with ``part``, in which the mark stands for the file."""
    inline = json.dumps(part, separators=(",", ":")).encode()
    raw = b'{"model":"m","messages":[{"role":"user","content":[%b]}]}' % inline
    call = Call(Dialect.OPENAI, Action.CHAT, deployment)
    snapshot = make_snapshot(TEXT)
    inputs = PlanInputs(call, (), raw, "r1", {})
    plan = plan_request(snapshot, snapshot.deployments[deployment], inputs)
    mime = "application/pdf" if "file" in part else "image/png"
    return plan, {MARK: (FileUse(FILE, mime, MARK, inline, "there", FilePlace.CHAT_PART),)}


IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{MARK}"}}
VIDEO = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{MARK}"}}
PDF = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{MARK}"}}


def test_a_body_is_sent_in_parts() -> None:
    plan, uses = plan_chat(IMAGE)
    filled = fill_plan(plan, uses)
    route = filled.routes["plain"]
    assert isinstance(route, FilledRoute)
    before, file, behind = route.parts
    assert file == ContentPart(FILE)
    assert isinstance(before, bytes)
    assert isinstance(behind, bytes)
    assert before + MARK.encode() + behind == plan.routes["plain"].body
    assert route.length == len(before) + 8 + len(behind)
    request = route.request_for(filled.nodes[-1])
    assert request == route.request_for(filled.nodes[-1])
    assert b"Content-Length: %d\r\n" % route.length in request
    assert request.endswith(before)
    assert ContentPart(FILE, in_base64=False).length == 4


def test_a_mark_of_nobody_s_stays() -> None:
    plan, _ = plan_chat(IMAGE)
    assert fill_plan(plan, {}).routes == plan.routes


def test_a_video_is_in_the_engine_s_own_form() -> None:
    plan, uses = plan_chat(VIDEO)
    routes = fill_plan(plan, uses).routes
    assert b'{"type":"input_video","input_video":{"data":"%b"}}' % MARK.encode() in (
        routes["local"].body
    )
    assert b"video_url" in routes["plain"].body


def test_documents_go_to_nodes_that_read_them() -> None:
    plan, uses = plan_chat(PDF)
    filled = fill_plan(plan, uses)
    assert list(filled.routes) == ["plain"]
    assert [node.name for node in filled.nodes] == ["plain"]
    assert filled.demand.nodes == ("plain",)
    with pytest.raises(Unsupported, match="there: the node does not accept application/pdf"):
        fill_plan(*plan_chat(PDF, "only"))
    other = {MARK: (replace(uses[MARK][0], mime_type="application/zip"),)}
    with pytest.raises(Unsupported, match=r"does not accept application/zip$"):
        fill_plan(plan_chat(PDF, "only")[0], other)


def test_a_side_request_about_what_would_not_be_there_is_not_sent() -> None:
    from casedesk_proxy.dialects.core.contract import SideRequest

    plan, uses = plan_chat(IMAGE)
    for text, stays in (("count", True), (MARK, False)):
        beside = SideRequest("/tokenize", text.encode(), lambda body: None)
        routes = {name: replace(one, side_request=beside) for name, one in plan.routes.items()}
        route = fill_plan(replace(plan, routes=routes), uses).routes["plain"]
        assert (route.side_request is not None) is stays
        if stays:
            assert route.side_request_for(plan.nodes[0]).endswith(b"\r\n\r\ncount")


def test_what_makes_a_request_too_large_is_named_instead() -> None:
    filled = fill_plan(*plan_chat(PDF))
    route = filled.routes["plain"]
    assert isinstance(route, FilledRoute)
    assert choose_stored(route, route.length) == ()
    [use] = choose_stored(route, route.length - 1)
    stored = refer(route, {use.mark: "file-1"})
    [body] = stored.parts
    assert isinstance(body, bytes)
    [message] = json.loads(body)["messages"]
    assert message["content"] == [{"type": "file", "file": {"file_id": "file-1"}}]
    assert refer(route, {}).parts == route.parts
    image = fill_plan(*plan_chat(IMAGE)).routes["plain"]
    assert isinstance(image, FilledRoute)
    assert choose_stored(image, 1) == ()


def test_anthropic_is_told_that_files_are_named() -> None:
    plan, uses = plan_chat(PDF)
    route = fill_plan(plan, uses).routes["plain"]
    assert isinstance(route, FilledRoute)
    stored = refer(replace(route, dialect=Dialect.ANTHROPIC), {MARK: "file-1"})
    node = plan.nodes[0]
    assert b"\r\nanthropic-beta: files-api-2025-04-14\r\n" in stored.request_for(node)
    asked = replace(stored, method="GET").request_for(node)
    assert b"Content-Length" not in asked
