"""The common part of the file's sections.

Frozen; unknown settings are errors. ``reload`` in a field's ``json_schema_extra`` says whether a
running proxy applies a change of it; the editor's schema, the documented example and the reload all
read it from here.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Section", "setting"]


def setting(
    description: str, default: Any = ..., *, reload: bool = True, shown: bool = True
) -> Any:
    """A setting of the file. ``reload``: whether a running proxy applies a change of it."""
    extra = {"reload": reload}
    return Field(default, description=description, json_schema_extra=extra, repr=shown)  # type: ignore[arg-type]


class Section(BaseModel):
    """The base of all sections. Errors never repeat their input: it may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
