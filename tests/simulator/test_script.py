"""Scripts of simulated models: presets, and what a request may change."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.simulator.script import PRESETS, Ending, Script, find_script
from tests.fixtures.table import table


def test_a_request_changes_its_own_script_only() -> None:
    script = PRESETS["sim"]
    amended = script.amended("ending=cut&after_events=2&words=9&head_delay=0.5&body=")
    assert amended == Script(ending=Ending.CUT, after_events=2, words=9, head_delay=0.5, body="")
    assert script == Script()
    assert script.amended("") == script


@table("text", ["nonsense=1", "words=many", "ending=late", "after_events="])
def test_a_wrong_header_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="x-goog-simulator: "):
        Script().amended(text)


@table(("model", "status"), [("sim", 200), ("sim-error-503", 503), ("sim-error-418", 418)])
def test_presets_and_errors_of_any_status(model: str, status: int) -> None:
    script = find_script(model, PRESETS)
    assert script is not None
    assert script.status == status


@table("model", ["sim-error-200", "sim-error-5000", "unknown"])
def test_other_models_have_no_script(model: str) -> None:
    assert find_script(model, PRESETS) is None
