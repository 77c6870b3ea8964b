"""The sections about limits: how much a key, or a deployment, may use, and until when.

A number is a hard limit: requests beyond it are refused. ``{soft: 80000, hard: 100000}`` also warns
from the soft one on, in a header and in the log; either may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, StrictStr, WithJsonSchema

from casedesk_proxy.config.alias import ParameterRules
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import ModelName, complain

__all__ = [
    "Bound",
    "DeploymentLimits",
    "KeyLimits",
    "LimitDefaults",
    "UseLimits",
    "parse_expiry",
    "parse_zone",
]

#: A larger amount is a mistake.
_MAX_AMOUNT_TOKENS = 10**15
_FORMS = "write a number of at least 1, or {soft: …, hard: …}"


@dataclass(frozen=True, slots=True)
class Bound:
    """``hard``: the use at which requests are refused; ``soft``: the use at which a warning is
    given. None: no such limit."""

    hard: int | None = None
    soft: int | None = None


def parse_expiry(text: str) -> datetime:
    """A time without an offset is in ``limits.time_zone``. Raises PydanticCustomError."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise complain(
            "is not a date", "write 2027-01-31, 2027-01-31T18:00 or 2027-01-31T18:00:00+01:00"
        ) from None


def parse_zone(text: str) -> tzinfo:
    """UTC does not need the machine's time zone files. Raises PydanticCustomError."""
    try:
        return UTC if text == "UTC" else ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        raise complain(
            "is not a time zone that this machine knows",
            "write UTC or a name such as Europe/Berlin; Debian's package tzdata has the names",
        ) from None


def _read_bound(value: object) -> Bound:
    if isinstance(value, Bound):
        return value
    if isinstance(value, dict):
        if not value or value.keys() - {"soft", "hard"}:
            raise complain("is not a limit", _FORMS)
        bound = Bound(**{name: _read_amount(one) for name, one in value.items()})
        if bound.hard is not None and bound.soft is not None and bound.soft > bound.hard:
            raise complain("has a soft limit above the hard limit", "make soft less than hard")
        return bound
    return Bound(_read_amount(value))


def _read_amount(value: object) -> int | None:
    """From a file, or from JSON that this program wrote."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise complain("is not a limit", _FORMS)
    if not 1 <= value <= _MAX_AMOUNT_TOKENS:
        raise complain("is out of range", _FORMS)
    return value


def _check_expiry(text: str) -> str:
    parse_expiry(text)
    return text


def _check_zone(text: str) -> str:
    parse_zone(text)
    return text


_AMOUNT: dict[str, Any] = {"type": "integer", "minimum": 1}
_BOUND: dict[str, Any] = {
    "anyOf": [
        _AMOUNT,
        {
            "type": "object",
            "properties": {"soft": _AMOUNT, "hard": _AMOUNT},
            "additionalProperties": False,
            "minProperties": 1,
        },
    ]
}

Amount = Annotated[Bound, BeforeValidator(_read_bound), WithJsonSchema(_BOUND)]
Parallel = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Expiry = Annotated[StrictStr, AfterValidator(_check_expiry)]
TimeZone = Annotated[StrictStr, AfterValidator(_check_zone)]


class UseLimits(Section):
    """The limits that keys and deployments share. None: no limit."""

    requests_per_minute: Amount | None = setting("Requests to nodes within 60 seconds.", None)
    tokens_per_minute: Amount | None = setting("Tokens within 60 seconds.", None)
    tokens_per_day: Amount | None = setting("Tokens of a calendar day.", None)
    tokens_per_month: Amount | None = setting("Tokens of a calendar month.", None)
    parallel: Parallel | None = setting("Concurrent requests at nodes.", None)
    over_parallel: Literal["wait", "refuse"] = setting(
        "What happens to a request beyond parallel: it waits in the queue, or gets 429.", "wait"
    )


class DeploymentLimits(UseLimits):
    """The limits of all users of a deployment together."""


class KeyLimits(UseLimits):
    """The limits of one key. A missing limit is the one of ``limits.keys``; null: no limit."""

    models: tuple[ModelName, ...] | None = setting(
        "Models that the key may use: clients' names, nodes' names or patterns; null: all.", None
    )
    expires: Expiry | None = setting("When the key expires; null: never.", None)
    parameters: ParameterRules | None = setting(
        "Changes to the key's requests, written and made as an alias's, and after them.", None
    )

    def within(self, defaults: KeyLimits) -> KeyLimits:
        """These limits, and the values of ``defaults`` for missing ones."""
        return defaults.model_copy(update={n: getattr(self, n) for n in self.model_fields_set})


class LimitDefaults(Section):
    """What all limits share, and the limits of keys without their own."""

    time_zone: TimeZone = setting("Time zone whose midnight ends days and months.", "UTC")
    keys: KeyLimits = setting("Limits of each key that does not set its own.", KeyLimits())
