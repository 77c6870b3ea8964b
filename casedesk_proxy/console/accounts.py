"""Who may sign in by name: the configuration's users, and those of the state file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from casedesk_proxy.config.limits import KeyLimits
from casedesk_proxy.config.schema import Config
from casedesk_proxy.console.rows import StoredUser
from casedesk_proxy.snapshot import compile_principal
from casedesk_proxy.terms import Principal

__all__ = ["Account", "find_account"]


@dataclass(frozen=True, slots=True)
class Account:
    """``password`` is its hash; None: only a reverse proxy signs this user in."""

    principal: Principal
    password: str | None = field(repr=False)

    @property
    def proof(self) -> str:
        """Differs after each change of the password."""
        return hashlib.sha256((self.password or self.principal.name).encode()).hexdigest()


def find_account(name: str, config: Config, stored: Mapping[str, StoredUser]) -> Account | None:
    """The configuration's user counts if both have the name."""
    for user in config.users:
        if user.name == name:
            made = compile_principal(name, user.deployments, user.admin, user.limits, config.limits)
            return Account(made, user.password)
    if (one := stored.get(name)) is None:
        return None
    own = KeyLimits.model_validate_json(one.limits)
    return Account(
        compile_principal(name, one.deployments, one.admin, own, config.limits), one.password
    )
