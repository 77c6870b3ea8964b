"""Shared code of the console's tests: aiohttp's client, by pytest-aiohttp's fixture."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.test_utils import TestClient

__all__ = ["AiohttpClient", "Client"]

Client = TestClient[Any, Any]
AiohttpClient = Callable[..., Awaitable[Client]]
