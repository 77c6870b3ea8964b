"""The section about files that clients upload."""

from __future__ import annotations

from casedesk_proxy.config.s3 import S3
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import AbsolutePath, Duration, Size, Switch

__all__ = ["Files"]


class Files(Section):
    """The file store: what clients upload once and name in requests."""

    enabled: Switch = setting("false: uploads and files are refused.", True)
    directory: AbsolutePath | None = setting(
        "Directory of the files' contents; null: files, next to the state file. Instances on"
        " one host share it.",
        None,
        reload=False,
    )
    max_file: Size = setting("Maximum size of a file.", 2 * 2**30)
    per_key: Size = setting("Maximum total size of one key's files.", 20 * 2**30)
    total: Size = setting("Maximum total size of all files.", 50 * 2**30)
    keep: Duration = setting("How long a file is kept; 0: until it is deleted.", 48 * 3600.0)
    s3: S3 | None = setting(
        "A bucket that several hosts share; null: files stay on this host.", None, reload=False
    )
