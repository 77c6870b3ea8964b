"""What happens to a field of a client's API: the terms in which each dialect lists its fields.

Readers, the OpenAPI documents and the compatibility reference share these lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Fate",
    "KnownField",
    "Messages",
    "ignored",
    "left_out",
    "one_of",
    "refused",
    "text",
]


class Fate(StrEnum):
    """What happens to a field if the node speaks another protocol than the client."""

    #: It reaches the node in the node's own form, or decides what reaches it.
    MAPPED = "mapped"
    #: It means nothing to a node, and leaving it out loses nothing.
    IGNORED = "ignored"
    #: Left out with a warning: the reply's header names it.
    LEFT_OUT = "left out"
    #: Leaving it out would change the reply: 400, which names it.
    REFUSED = "refused"
    #: The node gets the same bytes.
    PASSED_ON = "passed on"


@dataclass(frozen=True, slots=True)
class KnownField:
    """``kind`` consists of JSON's types, ``any`` and names of messages, which begin with a capital:
    ``string|Block[]``. ``values`` are all allowed strings. ``why``: the reason of a refusal, or
    another remark."""

    kind: str = "any"
    fate: Fate = Fate.MAPPED
    why: str = ""
    values: tuple[str, ...] = ()
    required: bool = False


def ignored(*names: str) -> dict[str, KnownField]:
    return dict.fromkeys(names, KnownField(fate=Fate.IGNORED))


def text(why: str = "", *, required: bool = False) -> KnownField:
    return KnownField("string", why=why, required=required)


def refused(why: str, kind: str = "any") -> KnownField:
    return KnownField(kind, Fate.REFUSED, why)


def left_out(why: str, kind: str = "any") -> KnownField:
    return KnownField(kind, Fate.LEFT_OUT, why)


def one_of(*values: str) -> KnownField:
    """The field that says which kind of object it is."""
    return KnownField("string", values=values, required=True)


#: The fields of each object of an API, by the object's name.
Messages = dict[str, dict[str, KnownField]]
