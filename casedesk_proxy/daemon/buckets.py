"""The bucket for the files of several hosts, with its keys from the configured places."""

from __future__ import annotations

from collections.abc import Mapping

from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.s3 import S3
from casedesk_proxy.daemon.secrets import read_secret
from casedesk_proxy.files.s3_bucket import S3Bucket, open_bucket

__all__ = ["open_file_bucket"]


def open_file_bucket(
    settings: S3, environ: Mapping[str, str], credentials_directory: str | None, *, file: str
) -> S3Bucket:
    """Sends no request yet. ``credentials_directory`` is systemd's. Raises ConfigError."""
    keys = None
    if settings.access_key is not None and settings.secret_key is not None:
        keys = (
            read_secret(
                settings.access_key, "files.s3.access_key", environ, credentials_directory,
                file=file,
            ),
            read_secret(
                settings.secret_key, "files.s3.secret_key", environ, credentials_directory,
                file=file,
            ),
        )  # fmt: skip
    try:
        return open_bucket(settings, keys)
    except ImportError:
        remedy = "pip install 'casedesk-proxy[s3]'"
        missing = Complaint("files.s3", "the package obstore is missing", file, remedy=remedy)
        raise ConfigError([missing]) from None
