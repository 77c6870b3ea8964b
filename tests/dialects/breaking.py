"""How a translated reply ends if it breaks, as its relay ends it."""

from __future__ import annotations

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.replying.bodies.translated import ReplyTranslation
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.surfaces import gemini
from casedesk_proxy.terms import Dialect, Framing

BROKEN = StreamBroken("broke; wait")
#: The error as a Gemini client gets it, unplaced.
ENVELOPE = gemini.error_body(BROKEN)
_FORMS = {
    Framing.SSE: Form.EVENTS,
    Framing.JSON_ARRAY: Form.OWN_ARRAY,
    Framing.UNARY: Form.UNARY,
}


def error_behind(
    translator: Translator,
    framing: Framing = Framing.SSE,
    surface: Dialect = Dialect.GEMINI,
    error: ProxyError = BROKEN,
) -> bytes:
    return ReplyTranslation(translator, surface, _FORMS[framing]).break_off(error)
