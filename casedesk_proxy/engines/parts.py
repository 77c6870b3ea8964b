"""Parts of an Anthropic Messages request that not every engine's own ``/v1/messages`` keeps.

They answer 200 and do less: a response format is not followed, a PDF not read, a tool of
Anthropic's becomes a function without arguments. What an engine refuses in words of its own
counts as lost, too, where translation keeps it or says it better.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ALL_LOSE", "MOST_LOSE", "Part"]


class Part(StrEnum):
    """Its value names it in errors."""

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


#: No engine but Anthropic has anything like it.
ALL_LOSE = frozenset({
    Part.BETA_FORMAT, Part.DOCUMENTS, Part.RESULT_BLOCKS, Part.OTHER_BLOCKS, Part.KEPT,
    Part.SERVER_TOOLS,
})  # fmt: skip
MOST_LOSE = frozenset({Part.REFERENCES, Part.TOOL_CHANGES, Part.SEARCH_RESULTS})
