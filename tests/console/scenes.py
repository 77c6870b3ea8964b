"""What a console shows in its tests and in the documentation: a small house with two nodes."""

from __future__ import annotations

import datetime
import time
from typing import Any

__all__ = ["CONFIG", "DEPLOYMENTS", "FAILURES", "NODES", "QUEUE", "streams", "usage"]

_MODEL = "qwen3-32b"
_SMALL = "gemma3:12b"


def _model(name: str, streams: int, asked: int, *, loaded: bool = True) -> dict[str, Any]:
    return {
        "name": name, "loaded": loaded, "context": 32768, "streams": streams, "requests": asked,
        "failures": asked // 900, "tokens_per_second": 41.5 if asked else None,
        "cached_share": 0.63 if asked else None,
    }  # fmt: skip


def _node(name: str, state: str, used: int, models: list[Any], error: str = "") -> dict[str, Any]:
    return {
        "name": name, "state": state, "healthy": state == "ok", "in_flight": used, "limit": 8,
        "waiting": 0, "asked": used, "last_error": error, "last_error_at": None,
        "cooling_until": None, "models": models,
    }  # fmt: skip


NODES = [
    _node("gpu-1", "ok", 5, [_model(_MODEL, 3, 2841), _model(_SMALL, 2, 1207)]),
    _node("gpu-2", "down", 0, [_model(_MODEL, 0, 655, loaded=False)], "refused the connection"),
]
DEPLOYMENTS = [
    {
        "name": "desk", "auth": "required", "base": "/proxy/desk", "models": ["sim", "sim-fast"],
        "usable": True,
        "surfaces": {
            "gemini": "/proxy/desk/gemini", "anthropic": "/proxy/desk/anthropic",
            "openai": "/proxy/desk/openai/v1",
        },
    },
]  # fmt: skip
QUEUE = {
    "total": 2,
    "rows": [
        {"id": f"req_w{place}", "position": place, "key": key, "deployment": "desk",
         "model": _MODEL, "waiting_s": 4.0 - place}
        for place, key in ((1, "ben"), (2, "reports"))
    ],
}  # fmt: skip
FAILURES = [
    {"at": time.time() - 95.0 * place, "id": f"req_f{place}", "key": key, "deployment": "desk",
     "model": _MODEL, "node": node, "status": status, "code": code, "reason": reason, "ending": ""}
    for place, (key, node, status, code, reason) in enumerate((
        ("ben", "gpu-2", 502, "node_unreachable", "gpu-2 refused the connection"),
        ("carla", "", 429, "key_limit_reached", "tokens_per_day of carla is used up"),
    ), 1)
]  # fmt: skip
CONFIG = {"loaded": time.time() - 4000, "tried": time.time() - 3999.9, "refusal": None}


def streams() -> list[dict[str, Any]]:
    keys = ("ben", "reports", "carla", "ben")
    return [
        {"id": f"req_s{place}", "key": key, "deployment": "desk", "surface": "openai",
         "model": (_MODEL, _SMALL)[place % 2], "node": "gpu-1", "state": "streaming",
         "started": time.time() - age, "age_s": age, "tokens": int(age * 38), "bytes": 0,
         "tokens_per_second": 38.2 + place, "queued_s": 0.0}
        for place, (key, age) in enumerate(zip(keys, (3.0, 17.0, 44.0, 131.0), strict=True))
    ]  # fmt: skip


def usage() -> list[dict[str, Any]]:
    """Of a month, the newest day first, weekends quiet."""
    last = datetime.datetime.now(datetime.UTC).date()
    rows = []
    for back in range(28):
        date = last - datetime.timedelta(days=back)
        for place, key in enumerate(("ben", "carla", "reports")):
            asked = (90 + (back * 37 + place * 53) % 160) // (5 if date.weekday() > 4 else 1)
            rows.append(
                {"day": date.isoformat(), "key": key, "deployment": "desk",
                 "model": (_MODEL, _SMALL)[place % 2], "requests": asked, "failed": asked // 60,
                 "prompt": asked * 1900, "output": asked * 640, "cached": asked * 1100,
                 "thoughts": 0, "estimated": 0}
            )  # fmt: skip
    return rows
