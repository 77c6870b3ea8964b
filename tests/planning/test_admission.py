"""Admission: the whole decision from a head and a snapshot, without a gateway."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.errors import (
    BadRequest,
    ClientFault,
    Forbidden,
    NotFound,
    Unauthenticated,
)
from casedesk_proxy.planning.admission import (
    Admitted,
    BaseUrl,
    UploadUrl,
    admit,
    has_key,
    read_facts,
)
from casedesk_proxy.replying.record import CallFacts
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.terms import Action, Dialect, Principal, RawHeaders
from casedesk_proxy.wire.http1 import BodyFraming, RequestHead
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot


def digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


TEXT = f"""
default_deployment: desk
nodes:
  n: {{url: "http://127.0.0.1:9001", engine: openai}}
deployments:
  desk: {{nodes: [n]}}
  lab: {{nodes: [n]}}
  demo: {{nodes: [n], auth: none}}
keys:
  - {{name: alice, sha256: "{digest("key-of-alice")}", deployments: [desk]}}
  - {{name: bob, sha256: "{digest("key-of-bob")}", deployments: [desk, lab]}}
"""
SNAPSHOT = make_snapshot(TEXT)
OPENS = {"key-of-alice": {"desk"}, "key-of-bob": {"desk", "lab"}}
NAMES = {"key-of-alice": "alice", "key-of-bob": "bob"}
HOSTS = Hosts()


def head(target: str, headers: RawHeaders = (), method: str = "POST") -> RequestHead:
    return RequestHead(
        method, target, True, ((b"Host", b"localhost"), *headers), BodyFraming.NONE, 0, True
    )


def decide(asked: RequestHead) -> Admitted | BaseUrl | ClientFault:
    try:
        return admit(SNAPSHOT, asked, HOSTS)
    except ClientFault as error:
        return error


def chat(deployment: str | None) -> str:
    return (
        f"/proxy/{deployment}/openai/v1/chat/completions" if deployment else "/v1/chat/completions"
    )


def sent(form: str, credential: str | None) -> tuple[RawHeaders, str]:
    """The headers and the query of a credential."""
    if credential is None:
        return (), ""
    raw = credential.encode()
    if form == "key":
        return (), f"?key={credential}"
    if form == "bearer":
        return ((b"Authorization", b"Bearer " + raw),), ""
    return ((form.encode(), raw),), ""


FORMS = st.sampled_from(["bearer", "x-api-key", "x-goog-api-key", "key"])
CREDENTIALS = st.sampled_from([None, "key-of-alice", "key-of-bob", "key-of-nobody"])
DEPLOYMENTS = st.sampled_from([None, "desk", "lab", "demo", "nowhere"])


@given(FORMS, CREDENTIALS, DEPLOYMENTS)
def test_a_deployment_is_used_by_whom_it_is_open_to_and_nobody_else(
    form: str, credential: str | None, deployment: str | None
) -> None:
    headers, query = sent(form, credential)
    asked = head(chat(deployment) + query, headers)
    opened = OPENS.get(credential or "", set())
    # A key that opens one deployment alone means it on a bare mount.
    meant = deployment or (next(iter(opened)) if len(opened) == 1 else "desk")
    admitted = decide(asked)
    assert not isinstance(admitted, BaseUrl)
    if isinstance(admitted, Admitted):
        assert meant == "demo" or meant in opened
        assert admitted.deployment is SNAPSHOT.deployments[meant]
        who = "anonymous" if meant == "demo" else NAMES[credential or ""]
        assert admitted.facts == CallFacts("openai", "chat/completions", who, meant)
        assert not credential or credential not in repr(admitted) + admitted.log_target
    else:
        assert meant != "demo"
        assert meant not in opened
        assert type(admitted) is (Forbidden if opened else Unauthenticated)
        assert not credential or credential not in admitted.message
    assert has_key(SNAPSHOT, asked) is bool(opened)
    assert read_facts(asked) == CallFacts("openai", "chat/completions")


@given(FORMS, st.sampled_from([None, "key-of-alice", "key-of-nobody"]))
def test_a_foreign_and_a_missing_deployment_are_refused_alike(
    form: str, credential: str | None
) -> None:
    headers, query = sent(form, credential)
    refused = []
    for name in ("lab", "nil"):
        with pytest.raises(ClientFault) as caught:
            admit(SNAPSHOT, head(chat(name) + query, headers), HOSTS)
        refused.append((type(caught.value), caught.value.message.replace(name, "?")))
    assert refused[0] == refused[1]


def test_without_any_key_a_missing_deployment_is_called_missing() -> None:
    snapshot = make_snapshot(TEXT.partition("keys:")[0] + "keys: []\n")
    with pytest.raises(NotFound) as caught:
        admit(snapshot, head(chat("nowhere")), HOSTS)
    assert caught.value.code == "deployment_not_found"
    with pytest.raises(Unauthenticated):
        admit(snapshot, head(chat("desk")), HOSTS)


def test_what_is_known_of_a_request_that_is_refused() -> None:
    asked = head(chat("nowhere"), ((b"x-api-key", b"key-of-alice"),))
    assert has_key(SNAPSHOT, asked)
    assert read_facts(asked) == CallFacts("openai", "chat/completions")
    lost = head("/v1beta/models/m", method="OPTIONS")
    assert not has_key(SNAPSHOT, lost)
    assert read_facts(lost) == CallFacts("gemini")


def test_what_is_decided_beside() -> None:
    mine = ((b"x-api-key", b"key-of-alice"), (b"x-request-id", b"my-id"))
    admitted = admit(SNAPSHOT, head("/v1/models?key=hidden&a=1", mine, "GET"), HOSTS)
    assert isinstance(admitted, Admitted)
    assert admitted.request_id == "my-id"
    assert "hidden" not in admitted.log_target
    assert admitted.call.action is Action.LIST_MODELS
    assert admitted.placements == {}


def test_a_coded_body_is_refused_where_a_body_is_read() -> None:
    coded = ((b"x-api-key", b"key-of-alice"), (b"content-encoding", b"gzip"))
    with pytest.raises(BadRequest) as caught:
        admit(SNAPSHOT, head(chat("desk"), coded), HOSTS)
    assert caught.value.status == 415
    assert isinstance(admit(SNAPSHOT, head("/v1/models", coded, "GET"), HOSTS), Admitted)


@table("credential", [None, "key-of-nobody"])
def test_a_base_url_takes_no_key(credential: str | None) -> None:
    headers, _ = sent("bearer", credential)
    looked = admit(SNAPSHOT, head("/proxy/desk/openai/v1", headers, "GET"), HOSTS)
    assert isinstance(looked, BaseUrl)
    assert looked.facts == CallFacts("openai", Action.BASE), "the key is nobody's"


@table("snapshot", [SNAPSHOT, make_snapshot(TEXT.replace("auth: none", ""))])
def test_a_page_of_another_site_is_refused(snapshot: Snapshot) -> None:
    page = ((b"x-api-key", b"key-of-alice"), (b"Origin", b"https://evil.example"))
    with pytest.raises(Forbidden):
        admit(snapshot, head(chat("desk"), page), HOSTS)


def test_a_name_that_may_be_rebound_needs_a_key() -> None:
    rebound = head(chat("demo"))
    rebound = RequestHead(
        "POST", rebound.target, True, ((b"Host", b"evil.example"),), BodyFraming.NONE, 0, True
    )
    with pytest.raises(Forbidden):
        admit(SNAPSHOT, rebound, HOSTS)
    known = RequestHead(
        "POST", rebound.target, True,
        ((b"Host", b"evil.example"), (b"x-api-key", b"key-of-bob")), BodyFraming.NONE, 0, True,
    )  # fmt: skip
    assert isinstance(admit(SNAPSHOT, known, HOSTS), Admitted)


@given(st.text(max_size=60), st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40))))
def test_whatever_is_sent_is_admitted_or_a_fault_of_the_client(
    target: str, headers: list[tuple[bytes, bytes]]
) -> None:
    asked = head("/" + target, tuple(headers))
    decided = decide(asked)
    assert not isinstance(decided, ClientFault) or 400 <= decided.status < 500
    assert read_facts(asked).surface in set(Dialect)
    has_key(SNAPSHOT, asked)


def test_a_key_that_is_limited_brings_its_limits_and_sees_its_models_alone() -> None:
    limits = "limits: {models: [tiny], tokens_per_day: 10}"
    text = TEXT.replace("deployments: [desk]}", f"deployments: [desk], {limits}}}")
    text = text.replace("lab: {nodes: [n]}", "lab: {nodes: [n], limits: {parallel: 2}}")
    text = text.replace("deployments: [desk, lab]}", f"deployments: [desk, lab], {limits}}}")
    snapshot = make_snapshot(text)
    bearer = ((b"Authorization", b"Bearer key-of-bob"),)
    admitted = admit(snapshot, head("/proxy/lab/openai/v1/chat/completions", bearer), HOSTS)
    assert isinstance(admitted, Admitted)
    assert admitted.deployment.rules.only == ("tiny",)
    assert snapshot.deployments["lab"].rules.only is None
    assert [(one.kind, one.name) for one in admitted.limits] == [
        ("key", "bob"), ("deployment", "lab"),
    ]  # fmt: skip


class AliceSignedIn:
    """Sessions of which Alice's is the only one."""

    secure = False

    def __bool__(self) -> bool:
        return True

    def find(self, ident: str) -> Principal | None:
        return SNAPSHOT.find_principal("key-of-alice") if ident == "s" * 40 else None


OWN_PAGE: RawHeaders = (
    (b"Cookie", b"casedesk-session=" + b"s" * 40),
    (b"Sec-Fetch-Site", b"same-origin"),
)


def test_a_session_counts_for_one_request_where_nothing_else_is_shown() -> None:
    admitted = admit(SNAPSHOT, head(chat("desk"), OWN_PAGE), HOSTS, AliceSignedIn())
    assert isinstance(admitted, Admitted)
    assert (admitted.facts.key, admitted.by_session) == ("alice", True)
    with pytest.raises(Forbidden):
        admit(SNAPSHOT, head(chat("lab"), OWN_PAGE), HOSTS, AliceSignedIn())
    with pytest.raises(Unauthenticated):
        admit(SNAPSHOT, head(chat("desk"), OWN_PAGE), HOSTS)


def test_a_key_goes_before_a_session() -> None:
    for key, name in (("key-of-bob", "bob"), ("wrong", "")):
        shown = head(chat("desk"), (*OWN_PAGE, (b"x-api-key", key.encode())))
        if name:
            admitted = admit(SNAPSHOT, shown, HOSTS, AliceSignedIn())
            assert isinstance(admitted, Admitted)
            assert (admitted.facts.key, admitted.by_session) == (name, False)
        else:
            with pytest.raises(Unauthenticated):
                admit(SNAPSHOT, shown, HOSTS, AliceSignedIn())


def test_a_name_that_may_be_a_stranger_s_has_no_session() -> None:
    asked = head(chat("desk"), OWN_PAGE)
    headers = ((b"Host", b"evil.test"), *asked.headers[1:])
    with pytest.raises(Forbidden):
        admit(SNAPSHOT, replace(asked, headers=headers), HOSTS, AliceSignedIn())


def test_an_upload_goes_on_at_its_own_url_without_a_key() -> None:
    target = "/upload/v1beta/files?upload_id=abc&upload_protocol=resumable"
    command = (b"X-Goog-Upload-Command", b"upload, finalize")
    found = admit(SNAPSHOT, head(target, (command,)), HOSTS)
    assert isinstance(found, UploadUrl)
    assert found.facts == CallFacts("gemini", Action.RESUME_UPLOAD), "whose it is the store says"
