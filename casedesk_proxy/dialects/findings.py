"""What is wrong with a request, gathered from all of it before anything is said.

Three kinds, told in this order: what the client's own API would refuse, schemas that are invalid,
and what the node could not serve without loss. Each carries the path of its place in the body.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from casedesk_proxy.errors import BadRequest, Unsupported, Violation

__all__ = ["Findings"]

#: Violations told in the message itself; ``violations`` has them all.
_TOLD = 5


@dataclass(slots=True)
class Findings:
    """``refuse_unknown`` is the deployment's choice what to do with unknown fields;
    ``feature_code`` what a refused feature is called on the client's surface."""

    refuse_unknown: bool = True
    feature_code: str = "unsupported_gemini_feature"
    faults: list[Violation] = field(default_factory=list)
    schema_faults: list[Violation] = field(default_factory=list)
    features: list[Violation] = field(default_factory=list)
    formats: list[Violation] = field(default_factory=list)
    _dropped: dict[str, None] = field(default_factory=dict)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Paths of what is left out with a warning, each once, in the order of finding."""
        return tuple(self._dropped)

    def fault(self, path: str, description: str) -> None:
        """The request is wrong in itself."""
        self.faults.append(Violation(path, description))

    def unknown(self, path: str, name: str) -> None:
        """A field that the API does not have, in Google's words."""
        place = f" at '{path}'" if path else ""
        where = f"{path}.{name}" if path else name
        if self.refuse_unknown:
            told = f'Unknown name "{name}"{place}: Cannot find field.'
            self.fault(where, f"Invalid JSON payload received. {told}")
        else:
            self.drop(where)

    def invalid(self, path: str, wanted: str) -> None:
        """A value of the wrong type, in Google's words. ``wanted``: TYPE_STRING and the like."""
        self.fault(path, f"Invalid value at '{path}' ({wanted})")

    def schema_fault(self, path: str, description: str) -> None:
        self.schema_faults.append(Violation(path, description))

    def refuse(self, path: str, why: str) -> None:
        """The node has nothing like it, and leaving it out would change the reply."""
        self.features.append(Violation(path, why))

    def refuse_format(self, path: str, why: str) -> None:
        self.formats.append(Violation(path, why))

    def drop(self, path: str) -> None:
        self._dropped[path] = None

    def raise_faults(self) -> None:
        """Raises BadRequest, or Unsupported for an invalid schema."""
        if self.faults:
            raise BadRequest(_summary(self.faults), violations=tuple(self.faults))
        if self.schema_faults:
            _raise("invalid_response_format_schema", self.schema_faults)

    def raise_refusals(self) -> None:
        """Raises Unsupported, naming every place that stands in the way."""
        if self.features:
            _raise(self.feature_code, self.features + self.formats)
        if self.formats:
            _raise("unsupported_response_format", self.formats)


def _raise(code: str, violations: list[Violation]) -> None:
    raise Unsupported(f"{code}: {_summary(violations)}", code=code, violations=tuple(violations))


def _summary(violations: list[Violation]) -> str:
    told = [
        one.description if one.path in one.description else f"{one.path}: {one.description}"
        for one in violations[:_TOLD]
    ]
    more = len(violations) - _TOLD
    return "\n".join(told) + (f"\nand {more} more" if more > 0 else "")
