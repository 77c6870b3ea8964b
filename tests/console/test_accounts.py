"""Which users may sign in by name."""

from __future__ import annotations

from casedesk_proxy.config.load import load_config
from casedesk_proxy.console.accounts import find_account
from casedesk_proxy.console.passwords import hash_password
from casedesk_proxy.console.rows import StoredUser

HASH, OTHER = hash_password("a", log2_n=4), hash_password("b", log2_n=4)
CONFIG = load_config(
    f"""
nodes: {{n: {{url: "http://127.0.0.1:1"}}}}
deployments: {{d: {{nodes: [n], auth: none}}}}
users: [{{name: dora, password: "{HASH}", deployments: [d], limits: {{parallel: 2}}}},
        {{name: eve}}]
""",
    "t",
).config
STORED = {
    "dora": StoredUser("dora", OTHER, (), True),
    "finn": StoredUser("finn", OTHER, ("d",), True, limits='{"parallel": 3}'),
}


def test_the_configuration_s_user_counts_before_the_state_file_s() -> None:
    dora = find_account("dora", CONFIG, STORED)
    assert dora is not None
    assert (dora.password, dora.principal.admin) == (HASH, False)
    assert dora.principal.deployments == {"d"}
    assert dora.principal.limits is not None


def test_one_of_the_state_file_has_its_rights_and_limits() -> None:
    finn = find_account("finn", CONFIG, STORED)
    assert finn is not None
    assert finn.principal.admin
    assert finn.principal.limits is not None
    assert HASH not in repr(finn)


def test_nobody() -> None:
    assert find_account("nobody", CONFIG, STORED) is None
    assert find_account("", CONFIG, STORED) is None


def test_the_proof_changes_with_the_password() -> None:
    dora, finn = (find_account(name, CONFIG, STORED) for name in ("dora", "finn"))
    eve = find_account("eve", CONFIG, STORED)
    assert dora is not None
    assert finn is not None
    assert eve is not None
    assert len({dora.proof, finn.proof, eve.proof}) == 3
