"""Which finish reasons end an answer."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.core.reply import Finish
from casedesk_proxy.dialects.openai.finish import read_finish
from casedesk_proxy.errors import StreamBroken
from tests.fixtures.table import table


@table(
    ("reason", "finish"),
    [("stop", Finish.STOP), ("STOP", Finish.STOP), ("tool_calls", Finish.STOP),
     ("eos_token", Finish.STOP), ("length", Finish.LENGTH), ("MAX_TOKENS", Finish.LENGTH),
     ("stop_sequence", Finish.STOP_SEQUENCE), ("content_filter", Finish.FILTER),
     ("repetition", Finish.REPETITION)],
)  # fmt: skip
def test_these_end_an_answer(reason: str, finish: Finish) -> None:
    assert read_finish(reason) is finish


@table(
    ("reason", "shown"),
    [("abort", "abort"), ("insufficient_system_resource", "insufficient_system_resource"),
     ("<script>", "unknown"), ("x" * 99, "unknown"), (7, "unknown"), ({}, "unknown")],
)  # fmt: skip
def test_no_other_does(reason: Any, shown: str) -> None:
    with pytest.raises(StreamBroken, match=rf"\(finish reason: {shown}\)"):
        read_finish(reason)
