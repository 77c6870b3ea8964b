"""The fixtures of anthropic-python's tests, without the recordings for which more packages would be
needed than for its tests of files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from anthropic import Anthropic, AsyncAnthropic, DefaultAioHttpClient
from pytest_asyncio import is_async_test

URL, KEY = os.environ["TEST_API_BASE_URL"], "my-anthropic-api-key"


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for one in items:
        if is_async_test(one):
            one.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest) -> Iterator[Anthropic]:
    with Anthropic(base_url=URL, api_key=KEY, _strict_response_validation=request.param) as client:
        yield client


@pytest.fixture(scope="session")
async def async_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncAnthropic]:
    given = request.param if isinstance(request.param, dict) else {"strict": request.param}
    http = DefaultAioHttpClient() if given.get("http_client") == "aiohttp" else None
    async with AsyncAnthropic(
        base_url=URL, api_key=KEY, _strict_response_validation=given.get("strict", True),
        http_client=http,
    ) as client:  # fmt: skip
        yield client
