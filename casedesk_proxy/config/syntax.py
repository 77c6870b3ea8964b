"""PyYAML's syntax errors in words that help."""

from __future__ import annotations

import yaml

from casedesk_proxy.errors import Complaint

__all__ = ["describe"]

#: A part of PyYAML's message → what to say, what to do.
_WORDS = (
    ("'\\t'", "a tab stands where YAML wants spaces", "indent with spaces"),
    (
        "mapping values are not allowed",
        "a colon followed by a space does not belong here",
        "check the indentation, or put a text with ': ' in it in quotes",
    ),
    (
        "expected alphabetic or numeric character",
        "a name that begins with * or & must be quoted",
        'write for example "*"',
    ),
    (
        "cannot start any token",
        "a text must not begin with this character unless it is quoted",
        "put it in quotes",
    ),
    ("undefined alias", "*name refers to an anchor (&name) that is not in this file",
     "put a text that begins with * in quotes"),
    ("duplicate anchor", "an anchor of this name exists already", "choose another name"),
    ("another document", "a second document (---) begins here", "keep one document a file"),
    ("',' or ']'", "a list that begins with [ is not closed", "add a comma or ]"),
    ("',' or '}'", "a mapping that begins with { is not closed", "add a comma or }"),
    ("unexpected end of stream", "a quoted text is not closed", "add the closing quote"),
    ("expected <block end>", "the indentation fits nothing above", "align it with its siblings"),
    ("could not find expected ':'", "a key has no colon", "write key: value"),
    ("nested too deeply", "is nested too deeply", "no configuration needs that"),
)  # fmt: skip


def describe(error: Exception, text: str, file: str) -> Complaint:
    """One complaint for a text that is not YAML, at the place where reading stopped."""
    if isinstance(error, yaml.reader.ReaderError):
        line, column = _place(text, error.position)
        message = f"the character U+{ord(text[error.position]):04X} may not stand in YAML"
        return Complaint("", message, file, line, column, "remove it")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    problem = " ".join(
        str(part) for part in (getattr(error, "context", ""), getattr(error, "problem", "")) if part
    )
    for part, message, remedy in _WORDS:
        if part in problem:
            return Complaint("", message + _opened(error, line), file, line, column, remedy)
    return Complaint("", f"is not YAML: {problem or 'bad escape in a text'}", file, line, column)


def _opened(error: Exception, line: int) -> str:
    """What is not closed is noticed lines later, at a key that is right."""
    context, mark = getattr(error, "context", None), getattr(error, "context_mark", None)
    if not context or mark is None or mark.line + 1 == line:
        return ""
    opens = "flow" in context or "quoted" in context
    return f"; it begins in line {mark.line + 1}" if opens else ""


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
