from __future__ import annotations

import hashlib

from casedesk_proxy.keystore.credential import Credential, mint


def test_keys_are_long_and_never_alike() -> None:
    keys = {mint().key for _ in range(50)}
    assert len(keys) == 50
    assert all(key.startswith("cdp-") and len(key) == 47 for key in keys)


def test_the_hash_is_that_of_the_bytes_a_client_sends() -> None:
    credential = mint()
    assert credential.sha256 == hashlib.sha256(credential.key.encode("ascii")).hexdigest()


def test_no_repr_shows_a_key() -> None:
    assert "hush" not in repr(Credential("cdp-hush"))
