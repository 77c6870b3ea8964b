"""A client's description of a file, and its mistakes."""

from __future__ import annotations

from casedesk_proxy.filing.draft import DEFAULT_TYPE, FileDraft, FileFault, Why


def test_what_a_client_leaves_out() -> None:
    draft = FileDraft()
    assert (draft.mime_type, draft.declared, draft.keep) == (DEFAULT_TYPE, None, None)


def test_a_fault_says_which_and_how_much() -> None:
    fault = FileFault(Why.KEY_FULL, 9)
    assert (str(fault), fault.most) == ("file_quota_reached", 9)
