"""The section about a store that several hosts share."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StrictStr, model_validator

from casedesk_proxy.config.secret import Secret
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import complain

__all__ = ["S3"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?")
_REGION = re.compile(r"[a-z0-9-]{1,40}")


def _check_bucket(text: str) -> str:
    if _BUCKET.fullmatch(text) is None:
        raise complain("is not a bucket's name", "write 3 to 63 small letters, digits, . and -")
    return text


def _check_endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and parts.port != 0 and parts.hostname
    except ValueError:
        is_usable = False
    if not is_usable:
        raise complain("is not an http or https URL", "write for example https://s3.example.com")
    if "@" in parts.netloc:
        remedy = "put the keys into access_key and secret_key"
        raise complain("contains a user name or password", remedy)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise complain("contains more than a host and a port", "put the bucket's name into bucket")
    return text.rstrip("/")


def _check_prefix(text: str) -> str:
    if _PREFIX.fullmatch(text) is None:
        raise complain("is not a valid prefix of a key", "write for example casedesk/files")
    return text


def _check_region(text: str) -> str:
    if _REGION.fullmatch(text) is None:
        raise complain("is not a region", "write for example us-east-1")
    return text


class S3(Section):
    """A bucket of an S3-compatible store for contents and what is known of them, which several
    hosts share. Needs the package obstore."""

    bucket: Annotated[StrictStr, AfterValidator(_check_bucket)] = setting(
        "Name of the bucket, which must exist.", reload=False
    )
    endpoint: Annotated[StrictStr, AfterValidator(_check_endpoint)] | None = setting(
        "The store's URL, without the bucket; null: Amazon's.", None, reload=False
    )
    region: Annotated[StrictStr, AfterValidator(_check_region)] = setting(
        "The bucket's region; most other stores accept any.", "us-east-1", reload=False
    )
    prefix: Annotated[StrictStr, AfterValidator(_check_prefix)] = setting(
        "Prefix of the keys of all objects, before a /.", "", reload=False
    )
    access_key: Secret | None = setting(
        "The access key's id: {env: …}, {file: …} or {credential: …}. null: what the environment "
        "(AWS_ACCESS_KEY_ID …) or a machine of Amazon's offers.",
        None,
        reload=False,
    )
    secret_key: Secret | None = setting(
        "The secret access key: {env: …}, {file: …} or {credential: …}.", None, reload=False
    )

    @model_validator(mode="after")
    def _check_keys(self) -> S3:
        if (self.access_key is None) is not (self.secret_key is None):
            raise complain(
                "sets only one of access_key and secret_key", "write both, or neither of them"
            )
        if any(key and key.inline for key in (self.access_key, self.secret_key)):
            remedy = "write {env: VARIABLE}, {file: /path} or {credential: NAME}"
            raise complain("contains the key itself", remedy)
        return self
