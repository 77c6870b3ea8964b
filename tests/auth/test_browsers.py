"""Requests from unknown web pages are refused; programs are never refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.auth.browsers import Hosts, require_own_host, require_own_site
from casedesk_proxy.errors import Forbidden
from casedesk_proxy.terms import RawHeaders
from tests.fixtures.table import table

OURS = Hosts(["llm.example.com", "*.lab.example.com"], ["box.corp.example"])
OPEN = Hosts(["llm.example.com"], ["box.corp.example"], strict=False)


def lines(**headers: str) -> RawHeaders:
    return tuple((name.replace("_", "-").encode(), v.encode()) for name, v in headers.items())


def is_refused(method: str, headers: RawHeaders, hosts: Hosts = OURS) -> bool:
    try:
        require_own_site(method, headers, hosts)
    except Forbidden as error:
        return error.code == "cross_site" and "server.hosts" in error.message
    return False


def is_foreign(host: str, hosts: Hosts = OURS, method: str = "POST", **more: str) -> bool:
    try:
        require_own_host(method, "/v1/models", lines(Host=host, **more), hosts)
    except Forbidden as error:
        return error.code == "host_not_allowed" and "server.hosts" in error.message
    return False


@table(
    "headers",
    [
        lines(Host="h"),
        lines(),
        # Node's fetch
        lines(Host="h", sec_fetch_mode="cors", accept_language="*"),
        # a page of our own, typed addresses, a link that is followed
        lines(Host="h:8080", Origin="http://h:8080"),
        lines(Host="H:8080", Origin="http://h:8080", Sec_Fetch_Site="same-origin"),
        lines(Host="h", Origin="https://h"),
        lines(Host="h:443", Origin="https://h"),
        lines(Host="[::1]:8080", Origin="http://[::1]:8080"),
        lines(Host="h", Sec_Fetch_Site="none", Sec_Fetch_Mode="navigate"),
        lines(Host="h", Origin="http://h:8080"),
        # a proxy in between has changed Host
        lines(Host="127.0.0.1:8080", Origin="https://ui.example", Sec_Fetch_Site="same-origin"),
        # listed
        lines(Host="h", Origin="https://llm.example.com", Sec_Fetch_Site="cross-site"),
        lines(Host="h", Origin="https://a.b.lab.example.com:8443", Sec_Fetch_Site="same-site"),
        # what no web page can be
        lines(Host="h", Origin="app://obsidian.md"),
        lines(Host="h", Origin="chrome-extension://abcdef", Sec_Fetch_Site="none"),
        lines(Host="h", Origin="file://", Sec_Fetch_Site="cross-site"),
    ],
)
@table("hosts", [OURS, Hosts(["llm.example.com", "*.lab.example.com"])])
def test_welcome(headers: RawHeaders, hosts: Hosts) -> None:
    for method in ("GET", "POST"):
        assert not is_refused(method, headers, hosts)


@table(
    "headers",
    [
        lines(Host="h", Sec_Fetch_Site="cross-site"),
        lines(Host="h", Sec_Fetch_Site="same-site"),
        lines(Host="h", Sec_Fetch_Site="Cross-Site"),
        lines(Host="h", Sec_Fetch_Site="something-new"),
        lines(Host="h", Sec_Fetch_Site=""),
        lines(Host="h", Origin="http://evil.example"),
        lines(Host="h", Origin="null"),
        lines(Host="h", Origin=""),
        lines(Origin="http://evil.example"),
        lines(Host="", Origin="null"),
        lines(Host="h:8080", Origin="http://h:3000"),
        lines(Host="h", Origin="http://h.evil.example"),
        lines(Host="h", Origin="http://evil.example@h"),
        lines(Host="h", Origin="http://h, http://evil.example"),
        lines(Host="h", Origin="http://lab.example.com"),
        lines(Host="h", Origin="http://llm.example.com.evil.example"),
        lines(
            Host="h",
            Sec_Fetch_Site="cross-site",
            Sec_Fetch_Mode="navigate",
            Sec_Fetch_Dest="iframe",
        ),
        lines(
            Host="h", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image"
        ),
        (*lines(Sec_Fetch_Site="same-origin"), *lines(sec_fetch_site="cross-site")),
        (*lines(Host="h", Origin="http://h"), *lines(origin="http://evil.example")),
    ],
)
def test_cross_site(headers: RawHeaders) -> None:
    for method in ("GET", "HEAD", "POST"):
        assert is_refused(method, headers)


def test_a_link_may_be_followed_but_no_form_sent() -> None:
    followed = lines(
        Host="h", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document"
    )
    assert not is_refused("GET", followed)
    assert is_refused("POST", followed)


SAFE = [
    "localhost", "localhost:8080", "LOCALHOST", "localhost.", "app.localhost", "127.0.0.1:8080",
    "10.1.2.3", "[::1]:8080", "[fe80::1]", "[::ffff:10.0.0.1]:80", "192.168.1.20:8080", "gpubox",
    "gpubox:8080", "gpubox.local", "gpubox.lan:8080", "host.docker.internal:8080", "x.home.arpa",
    "gpu.tail1234.ts.net", "proxy.llm.svc.cluster.local", "box.corp.example", "llm.example.com",
    "LLM.example.com:443", "llm.example.com.", "a.lab.example.com", "",
]  # fmt: skip
FOREIGN = [
    "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example",
    "local.evil", "evil.example/.local", "evil.example@localhost", "evil.example, localhost",
    "lab.example.com", "xlab.example.com", "llm.example.com.evil.example", "0x7f.1", "10.1.2",
    "[::1].evil.example", "evil.ts.net.example", "evil.example:80:80",
]  # fmt: skip


@table("host", SAFE)
def test_our_names(host: str) -> None:
    for hosts in (OURS, OPEN) if "lab" not in host else (OURS,):
        for method in ("GET", "POST"):
            assert not is_foreign(host, hosts, method)
            assert not is_foreign(host, hosts, method, Origin=f"http://{host}")


@table("host", FOREIGN)
def test_foreign_names(host: str) -> None:
    for method in ("GET", "POST"):
        assert is_foreign(host, method=method)
    assert not is_foreign(host, Hosts(["*"]))


@table("host", FOREIGN)
def test_foreign_names_where_others_reach_us(host: str) -> None:
    """Programs may use any host name of their network; browsers may not."""
    assert not is_foreign(host, OPEN)
    assert not is_foreign(host, OPEN, "GET")
    node = {"accept_language": "*", "sec_fetch_mode": "cors"}
    assert not is_foreign(host, OPEN, "GET", **node)
    assert not is_foreign(host, OPEN, "POST", **node)
    assert is_foreign(host, OPEN, "POST", Origin=f"http://{host}")
    assert is_foreign(host, OPEN, "GET", accept_language="en")
    assert is_foreign(host, OPEN, "GET", sec_fetch_site="same-origin", sec_fetch_mode="cors")


def test_a_target_in_absolute_form_is_looked_at_too() -> None:
    with pytest.raises(Forbidden):
        require_own_host("GET", "http://evil.example/v1/models", lines(Host="localhost"), OURS)
    require_own_host("GET", "http://localhost:8080/v1/models", lines(Host="localhost"), OURS)


def test_a_message_stays_short() -> None:
    with pytest.raises(Forbidden) as caught:
        require_own_host("GET", "/", lines(Host="x." * 9000), OURS)
    assert len(caught.value.message) < 400


headers = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Host", b"Origin", b"Sec-Fetch-Site", b"Sec-Fetch-Mode", b"Accept-Language"]
        ),
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from(
                [b"http://h", b"null", b"cross-site", b"same-origin", b"h", b"[::1]:1"]
            ),
        ),
    ),
    max_size=6,
).map(tuple)


@given(st.sampled_from(["GET", "POST"]), headers, st.booleans())
def test_anything_is_judged(method: str, sent: RawHeaders, strict: bool) -> None:
    hosts = Hosts(["a.b"], strict=strict)
    for check in (
        lambda: require_own_site(method, sent, hosts),
        lambda: require_own_host(method, "/", sent, hosts),
    ):
        try:
            check()
        except Forbidden as error:
            error.message.encode()
