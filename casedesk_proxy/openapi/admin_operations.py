"""The operations of the admin listener; a test compares them with its routes."""

from __future__ import annotations

from casedesk_proxy.dialects.core.known_fields import Fate, KnownField, Messages
from casedesk_proxy.openapi.operations import JSON, TEXT, Operation, Parameter

__all__ = ["ADMIN_MESSAGES", "ADMIN_OPERATIONS", "KEYS"]

_NAME = Parameter("name", "path", "The name of a key.", required=True)
_STATE, KEYS = "State", "Keys"

ADMIN_OPERATIONS = (
    Operation("GET", "/", "index", "List the pages", _STATE, sends=(TEXT,)),
    Operation("GET", "/healthz", "healthz", "Whether the process is alive", _STATE, sends=(TEXT,)),
    Operation(
        "GET", "/readyz", "readyz", "Whether a node can be used; 503 if none can", _STATE,
        sends=(TEXT,),
    ),
    Operation("GET", "/status", "status", "Show nodes, streams, queues and keys", _STATE),
    Operation("GET", "/metrics", "metrics", "Metrics for Prometheus", _STATE, sends=(TEXT,)),
    Operation("GET", "/all/status", "all.status", "The status of all instances", _STATE),
    Operation(
        "GET", "/all/console/api/status", "all.console",
        "What the console shows, of all instances", _STATE,
    ),
    Operation(
        "GET", "/all/metrics", "all.metrics", "Metrics of all instances, with a label `instance`",
        _STATE, sends=(TEXT,),
    ),
    Operation("GET", "/keys", "keys.list", "List the keys of the state file", KEYS),
    Operation(
        "POST", "/keys", "keys.new", "Create a key; only this reply shows it", KEYS,
        body="NewKey", status=201,
    ),
    Operation("GET", "/keys/{name}", "keys.get", "Show a key", KEYS, (_NAME,)),
    Operation(
        "PATCH", "/keys/{name}", "keys.alter", "Change a key's limits, deployments, note or rights",
        KEYS, (_NAME,), "KeyChange",
    ),
    Operation("DELETE", "/keys/{name}", "keys.revoke", "Revoke a key", KEYS, (_NAME,)),
    Operation(
        "POST", "/keys/{name}/expire", "keys.expire", "Set how long a key is valid", KEYS,
        (_NAME,), "Expiry",
    ),
    Operation(
        "POST", "/keys/{name}/rotate", "keys.rotate", "Replace a key", KEYS, (_NAME,),
        "Rotation", (JSON,), status=201,
    ),
    Operation("GET", "/key-audit", "keys.audit", "List who changed keys, the latest first", KEYS),
)  # fmt: skip

_WHEN = "30d, 2027-01-31, now, never or seconds since 1970"

ADMIN_MESSAGES: Messages = {
    "NewKey": {
        "name": KnownField("string", required=True),
        "deployments": KnownField("string[]"),
        "note": KnownField("string"),
        "admin": KnownField("boolean", why="may use this API"),
        "limits": KnownField("object", why="as `limits` of a key in the configuration"),
        "expires": KnownField("string|number", why=_WHEN),
        "sha256": KnownField(
            "string",
            Fate.REFUSED,
            "the key is made here; `casedesk-proxy key import` accepts hashes",
        ),
    },
    "KeyChange": {
        "limits": KnownField(
            "object",
            why="those to change: a number, null for no limit, default for that of all keys",
        ),
        "deployments": KnownField("string[]"),
        "note": KnownField("string"),
        "admin": KnownField("boolean", why="may use this API"),
        "expires": KnownField("string|number", why=_WHEN),
    },
    "Expiry": {"at": KnownField("string|number", why=_WHEN, required=True)},
    "Rotation": {
        "grace": KnownField("string|number", why="for how long the old key stays valid: 1h"),
    },
}
