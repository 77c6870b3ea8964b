"""Finds out which engine answers at a URL, and what it serves, by requests that run no model."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.inquiries import Inquiry, NodeAnswer
from casedesk_proxy.engines.model_lists import first_owner
from casedesk_proxy.engines.reading import as_mapping
from casedesk_proxy.engines.registry import FINGERPRINTS
from casedesk_proxy.engines.spec import Detected, Fingerprint
from casedesk_proxy.upstream.inquiries import Inquirer

__all__ = ["MODEL_LIST", "complete", "detect_engine", "refresh"]

#: What every engine has.
MODEL_LIST = Inquiry("/v1/models")


async def detect_engine(inquirer: Inquirer) -> Detected | None:
    """None if nothing answers, or nothing that is known (another CaseDesk Proxy included). Raises
    only CancelledError."""
    listing = await inquirer.ask(MODEL_LIST)
    if not listing.status or _is_proxy(listing.json):
        return None
    for fingerprint in _in_turn(listing):
        found = await inquirer.follow(fingerprint.look(listing))
        if found is not None:
            return found
    return None


async def refresh(inquirer: Inquirer, known: Detected) -> Detected | None:
    """Update what is known of a node, with few requests. None if it has to be detected again."""
    fingerprint = known.engine.fingerprint
    if fingerprint is None or fingerprint.refresh is None:
        return None
    return await inquirer.follow(fingerprint.refresh(known))


async def complete(inquirer: Inquirer, found: Detected) -> Detected:
    """Add what only requests need to know of the node."""
    fingerprint = found.engine.fingerprint
    if fingerprint is None or fingerprint.complete is None:
        return found
    return await inquirer.follow(fingerprint.complete(found))


def _in_turn(listing: NodeAnswer) -> list[Fingerprint]:
    """The fingerprints, first those that a hint points to. Each wrong guess causes an error in the
    node's log: engines log paths that they do not know."""
    owner = first_owner(listing.json)
    return sorted(
        FINGERPRINTS,
        key=lambda one: (listing.server not in one.servers, owner not in one.owners),
    )


def _is_proxy(listing: Any) -> bool:
    """Whether another CaseDesk Proxy answers: only Gemini's lists have this key, and no local
    engine speaks Gemini."""
    entries = as_mapping(listing).get("models")
    first = entries[0] if isinstance(entries, list) and entries else None
    return "supportedGenerationMethods" in as_mapping(first)
