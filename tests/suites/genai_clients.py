"""A plugin for google-genai's tests: their clients, which only know Google's own address, send to
``GOOGLE_GEMINI_BASE_URL``."""

from __future__ import annotations

import os
from typing import Any

from google.genai import _replay_api_client, types

_begin = _replay_api_client.ReplayApiClient.__init__


def begin(client: Any, *words: Any, http_options: Any = None, **more: Any) -> None:
    options = types.HttpOptions.model_validate(http_options or {})
    options = options.model_copy(update={"base_url": os.environ["GOOGLE_GEMINI_BASE_URL"]})
    _begin(client, *words, http_options=options, **more)


_replay_api_client.ReplayApiClient.__init__ = begin
