"""URLs on the web: which may be requested, and which IP addresses are public."""

from __future__ import annotations

import pytest

from casedesk_proxy.wire.web_addresses import is_public, is_web, read_web_address


def test_a_destination_is_read() -> None:
    found = read_web_address("https://Images.Example.com./a.png?b=1#c")
    assert found is not None
    assert found.host == "images.example.com"
    assert found.url == "https://Images.Example.com./a.png?b=1"
    assert found.is_among(["images.example.com"])
    assert found.is_among(["*.EXAMPLE.com"])
    assert not found.is_among(["example.com", "*.images.example.com", "ages.example.com"])
    assert is_web("HTTPS://x")
    assert not is_web("gs://x")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/", "file:///etc/passwd", "//h/", "https://", "https://h:8443/", "http://h:443/",
        "https://user@h/", "https://h\\@evil/", "https://h/ x", "https://h/\n", "https://[::1",
        "https://h:x/", "https://hüte/", "https://h/" + "x" * 9000,
    ],
)  # fmt: skip
def test_what_may_not_be_asked_for(url: str) -> None:
    assert read_web_address(url) is None


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1", "::1", "::", "fe80::1",
        "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1", "::7f00:1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe", "2001:db8::1", "fec0::1", "3fff::1",
        "192.0.0.8", "168.63.129.16", "localhost", "",
    ],
)  # fmt: skip
def test_all_other_addresses(address: str) -> None:
    assert not is_public(address)
