"""Which engine answers at a URL, and what it serves: found out by asking, never by inference."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.inquiries import Inquiry, NodeAnswer
from casedesk_proxy.engines.model_lists import first_owner
from casedesk_proxy.engines.reading import as_mapping
from casedesk_proxy.engines.registry import FINGERPRINTS
from casedesk_proxy.engines.spec import Detected, Fingerprint
from casedesk_proxy.upstream.inquiries import Inquirer

__all__ = ["complete", "detect_engine", "refresh"]

_LIST = Inquiry("/v1/models")


async def detect_engine(inquirer: Inquirer) -> Detected | None:
    """None where nothing answers, or nothing that is known (another CaseDesk Proxy included).
    Never raises but for cancellation."""
    listing = await inquirer.ask(_LIST)
    if not listing.status or _is_proxy(listing.json):
        return None
    for fingerprint in _in_turn(listing):
        found = await inquirer.follow(fingerprint.look(listing))
        if found is not None:
            return found
    return None


async def refresh(inquirer: Inquirer, known: Detected) -> Detected | None:
    """What is known of a node, with what may have changed, for few inquiries. None where it has
    to be detected anew."""
    fingerprint = known.engine.fingerprint
    if fingerprint is None or fingerprint.refresh is None:
        return None
    return await inquirer.follow(fingerprint.refresh(known))


async def complete(inquirer: Inquirer, found: Detected) -> Detected:
    """With what only requests need to know of it."""
    fingerprint = found.engine.fingerprint
    if fingerprint is None or fingerprint.complete is None:
        return found
    return await inquirer.follow(fingerprint.complete(found))


def _in_turn(listing: NodeAnswer) -> list[Fingerprint]:
    """The fingerprints, those that a hint points to first. Each wrong guess costs the node an error
    in its log: engines log paths that they do not know."""
    owner = first_owner(listing.json)
    return sorted(
        FINGERPRINTS,
        key=lambda one: (listing.server not in one.servers, owner not in one.owners),
    )


def _is_proxy(listing: Any) -> bool:
    """Only Gemini's lists have this key, and no local engine speaks Gemini: it is one of us."""
    entries = as_mapping(listing).get("models")
    first = entries[0] if isinstance(entries, list) and entries else None
    return "supportedGenerationMethods" in as_mapping(first)
