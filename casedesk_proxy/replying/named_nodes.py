"""Errors of a node, with its name: an operator of several nodes needs to know whose log to read."""

from __future__ import annotations

from casedesk_proxy.errors import ProxyError

__all__ = ["of_node"]

_UNNAMED = "the node"


def of_node(error: ProxyError, node: str) -> ProxyError:
    """The same error, where its message begins with the node, of which it did not know the name.
    Another object, since there are errors that many replies share. "": no name is known."""
    if not node or not error.message.startswith(_UNNAMED):
        return error
    message = f"node {node}{error.message.removeprefix(_UNNAMED)}"
    named = type(error).__new__(type(error), message)
    named.__dict__.update(error.__dict__, message=message)
    return named
