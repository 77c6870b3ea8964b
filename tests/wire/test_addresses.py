"""The client's address: forwarded addresses are trusted from the right, as far as proxies are
trusted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.addresses import TrustedProxies, is_network, limit_key, plain_address
from tests.fixtures.table import table

PROXIES = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48", "unix"])


def forwarded(*lines: str, name: str = "X-Forwarded-For") -> RawHeaders:
    return tuple((name.encode(), line.encode("latin-1")) for line in lines)


@table(
    ("lines", "client"),
    [
        ((), "127.0.0.1"),
        (("203.0.113.7",), "203.0.113.7"),
        (("1.1.1.1, 203.0.113.7",), "203.0.113.7"),
        (("1.1.1.1, 203.0.113.7, 10.1.2.3",), "203.0.113.7"),
        (("1.1.1.1", "203.0.113.7", "10.1.2.3, 10.9.9.9"), "203.0.113.7"),
        (("10.1.1.1, 10.2.2.2",), "10.1.1.1"),
        (("203.0.113.7:4711",), "203.0.113.7"),
        (("[2001:db8::9]:4711",), "2001:db8::9"),
        (("2001:db8::9",), "2001:db8::9"),
        (("2001:DB8:0:0::9%eth0",), "2001:db8::9"),
        (("::ffff:203.0.113.7",), "203.0.113.7"),
        (("203.0.113.7, unknown, 10.1.2.3",), "10.1.2.3"),
        (("203.0.113.7, ",), "127.0.0.1"),
        (("<script>",), "127.0.0.1"),
        (("203.0.113.7, 999.1.1.1",), "127.0.0.1"),
        (("1.1.1.1," * 4000 + " 203.0.113.7",), "203.0.113.7"),
        ((", ".join(["10.1.1.1"] * 4000),), "10.1.1.1"),
    ],
)
def test_x_forwarded_for(lines: tuple[str, ...], client: str) -> None:
    assert PROXIES.client("127.0.0.1", forwarded(*lines)) == client


@table(
    ("lines", "client"),
    [
        (("for=203.0.113.7",), "203.0.113.7"),
        (('For="[2001:db8:2::1]:99";proto=https;by=10.0.0.1',), "2001:db8:2::1"),
        (("proto=https; for=203.0.113.7; host=a",), "203.0.113.7"),
        (("for=1.1.1.1, for=203.0.113.7, for=10.1.2.3",), "203.0.113.7"),
        (("for=1.1.1.1", "for=203.0.113.7"), "203.0.113.7"),
        (("for=_hidden, for=10.1.2.3",), "10.1.2.3"),
        (("for=unknown",), "127.0.0.1"),
        (("proto=https",), "127.0.0.1"),
        (('for="1.1.1.1, for=203.0.113.7',), "127.0.0.1"),
        (("for=203.0.113.7", 'host="a'), "127.0.0.1"),
        (('for="1.1.1.1\\", for=203.0.113.7"',), "127.0.0.1"),
        (('host="a, for=1.1.1.1", for=203.0.113.7',), "203.0.113.7"),
    ],
)
def test_forwarded(lines: tuple[str, ...], client: str) -> None:
    assert PROXIES.client("127.0.0.1", forwarded(*lines, name="Forwarded")) == client


def test_x_forwarded_for_goes_before_forwarded() -> None:
    both = forwarded("for=1.1.1.1", name="forwarded") + forwarded("203.0.113.7")
    assert PROXIES.client("127.0.0.1", both) == "203.0.113.7"


@table("peer", ["203.0.113.1", "2001:db8:2::1", "unknown"])
def test_nobody_else_is_believed(peer: str) -> None:
    assert PROXIES.client(peer, forwarded("198.51.100.1")) == peer
    assert TrustedProxies().client(peer, forwarded("198.51.100.1")) == peer


def test_nobody_is_trusted_unless_listed() -> None:
    assert not TrustedProxies()
    assert TrustedProxies(["unix"])
    assert TrustedProxies(["10.0.0.0/8"])


def test_a_unix_socket_is_believed_where_it_is_listed() -> None:
    assert PROXIES.client("unix", forwarded("203.0.113.7")) == "203.0.113.7"
    assert TrustedProxies(["0.0.0.0/0"]).client("unix", forwarded("203.0.113.7")) == "unix"


@given(
    st.text(alphabet='for=";,\\ .:[]1%_x\t', max_size=80),
    st.sampled_from(["forwarded", "x-forwarded-for"]),
)
def test_whatever_was_sent_an_address_comes_out(text: str, name: str) -> None:
    client = PROXIES.client("127.0.0.1", forwarded(text, name=name))
    assert plain_address(client) == client
    assert is_network(client)


@table("name", ["10.0.0.5", "10.0.0.5/8", "fd00::/8", "unix", "::1"])
def test_networks(name: str) -> None:
    assert is_network(name)


@table("name", ["", "proxy.lan", "10.0.0.5:80", "10.0.0.0/33", "*", "unix:/run/x"])
def test_no_networks(name: str) -> None:
    assert not is_network(name)


@table(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unix", "unix"),
        ("a:b", "a:b"),
    ],
)
def test_one_host_is_one_key(address: str, key: str) -> None:
    assert limit_key(address) == key


@table(
    ("text", "plain"),
    [("::ffff:10.0.0.1", "10.0.0.1"), ("fe80::1%eth0", "fe80::1"), ("here", "here")],
)
def test_plain_addresses(text: str, plain: str) -> None:
    assert plain_address(text) == plain
