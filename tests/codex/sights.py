"""An MCP server on standard input and output with one tool, which reports the weather."""

from __future__ import annotations

import json
import sys
from typing import Any

_LOOK = {
    "name": "look",
    "description": "Looks at a city.",
    "inputSchema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
    "annotations": {"readOnlyHint": True},
}


def answer(method: str, given: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        told = {"name": "sights", "version": "1"}
        version = given["protocolVersion"]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": told}
    if method == "tools/list":
        return {"tools": [_LOOK]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": f"rain in {given['arguments']['city']}"}]}
    return {}


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            result = answer(asked["method"], asked.get("params") or {})
            reply = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
            print(json.dumps(reply), flush=True)
