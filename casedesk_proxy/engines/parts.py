"""Parts of an Anthropic Messages request that some engines' own ``/v1/messages`` loses.

Such engines answer 200 and do less: a response format is not followed, a PDF is not read, one of
Anthropic's tools becomes a function without arguments. A part that an engine refuses with an error
of its own also counts as lost if translation keeps it or gives a clearer error.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ALL_LOSE", "MOST_LOSE", "Part"]


class Part(StrEnum):
    """The value is its name in errors."""

    FORMAT = "a response format"
    BETA_FORMAT = "output_format, the former name of the response format"
    THINKING_OFF = "thinking switched off"
    BUDGET = "a budget for thinking"
    EFFORT = "an effort"
    DOCUMENTS = "documents"
    RESULT_BLOCKS = "results of tools that are neither text nor images"
    REFERENCES = "references to tools"
    TOOL_CHANGES = "tools that come and go"
    SEARCH_RESULTS = "search results"
    CLEARED = "a system message that is cleared"
    REDACTED = "thinking that only Anthropic can read"
    OTHER_BLOCKS = "blocks of Anthropic's own tools"
    SERVER_TOOLS = "tools that run at Anthropic"
    WEB_SEARCH = "Anthropic's web search"
    NO_TOOL = "a choice of no tool"
    ANY_TOOL = "the duty to use a tool"
    NAMED_TOOL = "the choice of one tool"
    ONE_TOOL = "one tool at a time"
    KEPT = "what is kept at Anthropic"
    COUNT = "counting tokens"


#: Parts that only Anthropic's own service has.
ALL_LOSE = frozenset({
    Part.BETA_FORMAT, Part.DOCUMENTS, Part.RESULT_BLOCKS, Part.OTHER_BLOCKS, Part.KEPT,
    Part.SERVER_TOOLS, Part.CLEARED,
})  # fmt: skip
MOST_LOSE = frozenset({Part.REFERENCES, Part.TOOL_CHANGES, Part.SEARCH_RESULTS})
