"""The sections about the console and its users."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StrictStr

from casedesk_proxy.config.hosts import TrustedProxy
from casedesk_proxy.config.limits import KeyLimits
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import Name, Pause, Switch, complain

__all__ = ["Console", "PasswordHash", "User", "is_password_hash"]

#: The form that `casedesk-proxy user hash` prints: the costs, the salt and the hash, the last two
#: in base64.
_HASH = re.compile(r"scrypt:\d{1,2}:\d{1,2}:\d{1,2}:[A-Za-z0-9_-]{16,64}:[A-Za-z0-9_-]{32,128}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


def is_password_hash(text: str) -> bool:
    return _HASH.fullmatch(text) is not None


def _check_hash(text: str) -> str:
    if is_password_hash(text):
        return text
    raise complain("is not a password hash", "make one with casedesk-proxy user hash")


def _check_header(text: str) -> str:
    if _HEADER.fullmatch(text):
        return text.lower()
    raise complain("is not a header's name", "write for example X-Forwarded-User")


PasswordHash = Annotated[StrictStr, AfterValidator(_check_hash)]
HeaderName = Annotated[StrictStr, AfterValidator(_check_header)]


class Console(Section):
    """The pages under /console, and who may see them."""

    enabled: Switch | None = setting(
        "Whether the console is served; null: yes if only this machine reaches the public"
        " listener, else once there is a user or an admin key.",
        None,
    )
    idle_timeout: Pause = setting("How long an unused session lasts.", 12 * 3600.0)
    lifetime: Pause = setting("How long any session lasts.", 7 * 86400.0)
    identity_header: HeaderName | None = setting(
        "Header in which a reverse proxy names the user that it has signed in, such as"
        " X-Forwarded-User, Remote-User or Tailscale-User-Login; null: no header is trusted.",
        None,
    )
    identity_proxies: tuple[TrustedProxy, ...] = setting(
        "The reverse proxies whose identity_header is trusted.", ()
    )


class User(Section):
    """A person who signs in to the console with a name, and calls the API from its pages."""

    name: Name = setting("Name to sign in with; the log and the ledger use it, too.")
    password: PasswordHash | None = setting(
        "Password hash, as casedesk-proxy user hash prints it; null: only a reverse proxy signs"
        " this user in.",
        None,
        shown=False,
    )
    deployments: tuple[StrictStr, ...] = setting(
        "Names of the deployments that the user may use.", ()
    )
    admin: Switch = setting("Allow the user to see everything and to manage keys.", False)
    note: Annotated[StrictStr, Field(max_length=200)] = setting("A note for people.", "")
    limits: KeyLimits = setting("How much the user may use.", KeyLimits())
