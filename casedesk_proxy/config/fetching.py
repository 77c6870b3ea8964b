"""The section about URLs in requests whose content the proxy itself fetches."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StrictStr

from casedesk_proxy.config.hosts import HostName
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import Pause, Size, complain

__all__ = ["FetchUrls"]

_TYPE = re.compile(r"[a-z]+/(?:\*|[a-z0-9][a-z0-9.+-]{0,80})")


def _check_named(host: str) -> str:
    if host == "*":
        raise complain("allows every host", "name the hosts, such as *.example.com")
    return host


def _check_type(text: str) -> str:
    if _TYPE.fullmatch(text) is None:
        raise complain("is not a media type", "write for example image/png or image/*")
    return text


NamedHost = Annotated[HostName, AfterValidator(_check_named)]
MediaType = Annotated[StrictStr, AfterValidator(_check_type)]


class FetchUrls(Section):
    """Contents that requests name by an http or https URL: fetched and inserted like stored files.
    Never from private, loopback or link-local addresses, whatever a name resolves to."""

    allow: tuple[NamedHost, ...] = setting(
        "Hosts from which contents are fetched, at ports 80 and 443; URLs of other hosts are "
        "refused."
    )
    max_size: Size = setting("Maximum total size fetched for one request.", 20 * 2**20)
    timeout: Pause = setting("Time limit for fetching one content.", 20.0)
    types: Annotated[tuple[MediaType, ...], Field(min_length=1)] = setting(
        "Media types that are accepted.",
        ("image/*", "audio/*", "video/*", "application/pdf", "text/plain"),
    )
