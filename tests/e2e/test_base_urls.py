"""What SDKs do with right and wrong base URLs, and with paths that are not served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import Desk
from tests.fixtures.sdks import anthropic, genai, openai

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

HI: list[Any] = [{"role": "user", "content": "hi"}]
KEY = "not-needed"


def ask_gemini(base: str) -> str | None:
    options: Any = {"base_url": base}
    with genai.Client(api_key=KEY, vertexai=False, http_options=options) as ai:
        return ai.models.generate_content(model="sim", contents="hi").text


def ask_openai(base: str) -> str | None:
    with openai.OpenAI(api_key=KEY, base_url=base, max_retries=0) as ai:
        return ai.chat.completions.create(model="sim", messages=HI).choices[0].message.content


def ask_anthropic(base: str) -> str:
    with anthropic.Anthropic(api_key=KEY, base_url=base, max_retries=0) as ai:
        made = ai.messages.create(model="sim", max_tokens=9, messages=HI)
        return str(made.content[0])


@pytest.mark.parametrize(
    ("ask", "path"),
    [
        (ask_gemini, "gemini"),
        (ask_gemini, "gemini/v1beta"),
        (ask_openai, "openai/v1"),
        (ask_openai, "openai"),
        (ask_openai, "gemini/v1beta/openai/"),
        (ask_openai, "gemini/openai"),
        (ask_anthropic, "anthropic"),
        (ask_anthropic, "anthropic/v1/"),
    ],
)
def test_right(desk: Desk, ask: Callable[[str], object], path: str) -> None:
    assert ask(f"{desk.url}/proxy/open/{path}")


@pytest.mark.parametrize(
    ("ask", "path", "told"),
    [
        (ask_gemini, "/openai/v1", "set it to /proxy/open/gemini"),
        (ask_gemini, "/anthropic", "set it to /proxy/open/gemini"),
        (ask_gemini, "", "the base URL is /proxy/open/gemini"),
        (ask_openai, "/gemini", "set it to /proxy/open/openai/v1"),
        (ask_openai, "/gemini/v1beta", "set it to /proxy/open/openai/v1"),
        (ask_openai, "/anthropic/v1", "set it to /proxy/open/openai/v1"),
        (ask_openai, "/v1", "the base URL is /proxy/open/openai/v1"),
        (ask_anthropic, "/gemini", "set it to /proxy/open/anthropic"),
        (ask_anthropic, "/openai/v1", "set it to /proxy/open/anthropic"),
        (ask_anthropic, "", "the base URL is /proxy/open/anthropic"),
    ],
)
def test_wrong(desk: Desk, ask: Callable[[str], object], path: str, told: str) -> None:
    """The error is in the SDK's own envelope: otherwise the SDK could not show the message."""
    with pytest.raises(
        (genai.errors.ClientError, openai.NotFoundError, anthropic.NotFoundError)
    ) as caught:
        ask(f"{desk.url}/proxy/open{path}")
    assert told in message_of(caught.value)


def message_of(error: Any) -> str:
    if isinstance(error, genai.errors.ClientError):
        assert error.code == 404
        return error.message or ""
    if isinstance(error, anthropic.NotFoundError):
        assert isinstance(error.body, dict)
        return str(error.body["error"]["message"])
    return str(error.message)


def test_azures_client_is_told_which_to_take(desk: Desk) -> None:
    endpoint = f"{desk.url}/proxy/open"
    with (
        openai.AzureOpenAI(
            api_key=KEY, azure_endpoint=endpoint, api_version="2024-10-21", max_retries=0
        ) as ai,
        pytest.raises(openai.NotFoundError, match="use the plain OpenAI client, not Azure's"),
    ):
        ai.chat.completions.create(model="sim", messages=HI)


def test_what_is_not_served_is_named(desk: Desk) -> None:
    with openai.OpenAI(api_key=KEY, base_url=f"{desk.url}/v1", max_retries=0) as ai:
        with pytest.raises(openai.NotFoundError, match="OpenAI's Moderations API is not served"):
            ai.moderations.create(input="x")
        with pytest.raises(openai.NotFoundError, match="the Batch API is not served here"):
            ai.batches.list()
    with (
        anthropic.Anthropic(api_key=KEY, base_url=desk.url, max_retries=0) as claude,
        pytest.raises(anthropic.NotFoundError, match="Anthropic's Message Batches API"),
    ):
        claude.messages.batches.list()
    options: Any = {"base_url": desk.url}
    with (
        genai.Client(api_key=KEY, vertexai=False, http_options=options) as ai,
        pytest.raises(genai.errors.ClientError, match="Gemini's Caching API is not served here"),
    ):
        list(ai.caches.list())
