"""What happens to a field of a client's API: the words in which each dialect lists its fields.

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
    """What happens to a field where its node speaks another protocol than its client."""

    #: It reaches the node in the node's own words, or decides what does.
    MAPPED = "mapped"
    #: It means nothing to a node, and leaving it out loses nothing.
    IGNORED = "ignored"
    #: Left out with a warning: the reply's header names it.
    LEFT_OUT = "left out"
    #: Leaving it out would change the reply: 400, which names it.
    REFUSED = "refused"
    #: The node gets the very bytes.
    PASSED_ON = "passed on"


@dataclass(frozen=True, slots=True)
class KnownField:
    """``kind`` is made of JSON's types, ``any`` and names of messages, which begin with a capital:
    ``string|Block[]``. ``values`` are all that a string may be. ``why``: the reason of a refusal,
    or what else is to be known."""

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
    """What says which object it is."""
    return KnownField("string", values=values, required=True)


#: The fields of each object of an API, by the object's name.
Messages = dict[str, dict[str, KnownField]]
