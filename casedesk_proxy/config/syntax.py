"""Explains PyYAML's syntax errors."""

from __future__ import annotations

import re

import yaml

from casedesk_proxy.config.complaints import Complaint

__all__ = ["TOO_DEEP", "describe"]

#: The problem of a text that is refused for its nesting.
TOO_DEEP = "nested too deeply"

#: A part of PyYAML's message → message, remedy.
_WORDS = (
    ("'\\t'", "tabs are not allowed for indentation in YAML", "indent with spaces"),
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
    ("expected <block end>", "the indentation matches no line above", "align it with its siblings"),
    ("could not find expected ':'", "a key has no colon", "write key: value"),
    (TOO_DEEP, "is nested too deeply", "a configuration does not need that depth"),
)  # fmt: skip


def describe(error: Exception, text: str, file: str) -> Complaint:
    """One complaint for a text that is not YAML, at the place where reading stopped."""
    if isinstance(error, yaml.reader.ReaderError):
        line, column = _place(text, error.position)
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        return Complaint("", message, file, line, column, "remove it")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    # Such nesting is not a mistake, and PyYAML takes minutes to read such a text.
    if getattr(error, "problem", "") != TOO_DEEP:
        cause = _find_open_quote(error, text, file) or _find_missing_space(error, text, file, line)
        if cause is not None:
            return cause
    problem = " ".join(
        str(part) for part in (getattr(error, "context", ""), getattr(error, "problem", "")) if part
    )
    for part, message, remedy in _WORDS:
        if part in problem:
            return Complaint("", message + _opened(error, line), file, line, column, remedy)
    return Complaint("", f"is not YAML: {problem or 'bad escape in a text'}", file, line, column)


def _find_open_quote(error: Exception, text: str, file: str) -> Complaint | None:
    """A quote that is not closed includes what follows, up to the next quote or the end: reading
    fails there, at a correct line."""
    context, mark = getattr(error, "context", None) or "", getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or ""
    remedy = "add the closing quote"
    if mark is not None and "quoted scalar" in context and "end of stream" in problem:
        message = "a quoted text is not closed"
        return Complaint("", message, file, mark.line + 1, mark.column + 1, remedy)
    long = None
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            quoted = isinstance(token, yaml.ScalarToken) and token.style in ("'", '"')
            if quoted and token.start_mark.line != token.end_mark.line:
                long = token
    except (yaml.YAMLError, ValueError, OverflowError):
        pass  # the error that is being explained
    if long is None:
        return None
    start, end = long.start_mark, long.end_mark
    message = f"the quoted text that begins here ends in line {end.line + 1}"
    return Complaint("", message, file, start.line + 1, start.column + 1, remedy)


#: A whole line that YAML reads as one text although its author meant key: value.
_GLUED = re.compile(r"\s*(?:- )?([^\s:#'\"{}\[\],&*!|>%@`][^\s:]*):[^\s:](?:(?!: ).)*")

#: The same with a name in quotes, after which YAML does not accept text.
_GLUED_QUOTED = re.compile(r"""\s*(?:- )?("(?:[^"\\]|\\.)*"|'[^']*'):[^\s:]""")
_SPACE = "put a space after the colon between name and value"

#: How PyYAML reports it, a line or more later.
_NOTICED = ("mapping values", "could not find expected ':'", "expected <block end>")


def _find_missing_space(error: Exception, text: str, file: str, line: int) -> Complaint | None:
    """``name:value`` is one text to YAML, which fails at the next key, or at its end."""
    problem = getattr(error, "problem", None) or ""
    if not any(sign in problem for sign in _NOTICED):
        return None
    lines = text.splitlines()
    here = _GLUED_QUOTED.match(lines[line - 1]) if 0 < line <= len(lines) else None
    if here is not None:
        column = here.start(1) + 1
        return Complaint("", "no space follows the colon", file, line, column, _SPACE)
    last = min(line - 2, len(lines) - 1)
    while last > 0 and _is_blank(lines[last]):
        last -= 1
    match = _GLUED.fullmatch(lines[last]) if last >= 0 else None
    if match is None:
        return None
    message = "no space follows the colon, so YAML reads this line as one text"
    return Complaint("", message, file, last + 1, match.start(1) + 1, _SPACE)


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _opened(error: Exception, line: int) -> str:
    """An unclosed bracket is noticed lines later, at a correct key."""
    context, mark = getattr(error, "context", None), getattr(error, "context_mark", None)
    if not context or mark is None or mark.line + 1 == line:
        return ""
    return f"; it begins in line {mark.line + 1}" if "flow" in context else ""


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
