"""The faults of a request, collected from all of it before any is reported.

There are three kinds, reported in this order: what the client's own API would refuse, schemas that
are invalid, and what the node could not serve without loss. Each has the path of its place in the
body.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from casedesk_proxy.errors import MAX_VIOLATIONS, BadRequest, Unsupported, Violation
from casedesk_proxy.wording import MAX_PATH_CHARS, bounded

__all__ = ["FEATURE_REMEDY", "Findings", "Violations", "refusal_of", "shorten"]

#: How many violations the message itself names; ``violations`` has MAX_VIOLATIONS of them.
_MAX_SHOWN_VIOLATIONS = 5
#: Characters of a client's own name in a path, and of one description in the message.
_MAX_NAME_CHARS = 64
_MAX_DESCRIPTION_CHARS = 600
#: The remedy for a feature that a node lacks, unless its description contains one.
FEATURE_REMEDY = "leave it out, or use another model"
_REMEDIES = {"invalid_response_format_schema": "correct the schema"}


@dataclass(slots=True)
class Findings:
    """``refuse_unknown``: the deployment refuses unknown fields; ``feature_code``: the error code
    of a refused feature on the client's surface."""

    refuse_unknown: bool = True
    feature_code: str = "unsupported_gemini_feature"
    faults: Violations = field(default_factory=lambda: Violations())
    schema_faults: Violations = field(default_factory=lambda: Violations())
    features: Violations = field(default_factory=lambda: Violations())
    formats: Violations = field(default_factory=lambda: Violations())
    #: The places of images and the like that the node gets: it may refuse them.
    media: Violations = field(default_factory=lambda: Violations())
    _dropped: dict[str, None] = field(default_factory=dict)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Paths of fields that are left out with a warning, each once, in the order of finding."""
        return tuple(self._dropped)

    def fault(self, path: str, description: str, *, media: str = "") -> None:
        """The request itself is wrong. ``media``: see Violation."""
        self.faults.add(path, description, media)

    def unknown(self, path: str, name: str) -> None:
        """A field that the API does not have, in Google's wording."""
        if not self.refuse_unknown:
            self.drop(f"{path}.{name}" if path else name)
            return
        if len(self.faults.kept) >= MAX_VIOLATIONS:
            self.faults.count += 1  # A body may have a hundred thousand: the rest is only counted.
            return
        name = shorten(name)
        place = f" at '{path}'" if path else ""
        message = f'Unknown name "{name}"{place}: Cannot find field.'
        where = f"{path}.{name}" if path else name
        self.fault(where, f"Invalid JSON payload received. {message}")

    def invalid(self, path: str, wanted: str) -> None:
        """A value of the wrong type, in Google's wording. ``wanted``: TYPE_STRING and the like."""
        self.fault(path, f"Invalid value at '{path}' ({wanted})")

    def schema_fault(self, path: str, description: str) -> None:
        self.schema_faults.add(path, description)

    def refuse(self, path: str, why: str, *, media: str = "") -> None:
        """The node does not support it, and leaving it out would change the reply."""
        self.features.add(path, why, media)

    def refuse_format(self, path: str, why: str) -> None:
        self.formats.add(path, why)

    def drop(self, path: str) -> None:
        self._dropped[path] = None

    def raise_faults(self) -> None:
        """Raises BadRequest, or Unsupported for an invalid schema."""
        if self.faults:
            raise BadRequest(self.faults.summary(), violations=self.faults.violations())
        if self.schema_faults:
            _raise("invalid_response_format_schema", self.schema_faults)

    def raise_refusals(self) -> None:
        """Raises Unsupported, naming every place that prevents the request."""
        if self.features:
            _raise(self.feature_code, self.features.joined(self.formats))
        if self.formats:
            _raise("unsupported_response_format", self.formats)


def refusal_of(mime: str) -> str:
    """Why a file of this type cannot be passed to a node, and what its operator can do about it."""
    why = f"the node does not accept {mime}"
    if mime == "application/pdf":
        why += "; with documents: text, the deployment would pass its text on"
    return why


def shorten(name: str) -> str:
    """A client's own name as a part of a path."""
    return bounded(name, _MAX_NAME_CHARS)


@dataclass(slots=True)
class Violations:
    """The first MAX_VIOLATIONS of them, and how many there were."""

    kept: list[Violation] = field(default_factory=list)
    count: int = 0

    def __len__(self) -> int:
        return self.count

    def add(self, path: str, description: str, media: str = "") -> None:
        self.count += 1
        if len(self.kept) < MAX_VIOLATIONS:
            self.kept.append(Violation(path, description, media))

    def joined(self, others: Violations) -> Violations:
        kept = [*self.kept, *others.kept][:MAX_VIOLATIONS]
        return Violations(kept, self.count + others.count)

    def violations(self) -> tuple[Violation, ...]:
        return tuple(self.kept)

    def summary(self) -> str:
        message = []
        for one in self.kept[:_MAX_SHOWN_VIOLATIONS]:
            path = bounded(one.path, MAX_PATH_CHARS)
            description = bounded(one.description, _MAX_DESCRIPTION_CHARS)
            message.append(description if path in description else f"{path}: {description}")
        more = self.count - len(message)
        return "\n".join(message) + (f"\nand {more} more" if more > 0 else "")


def _raise(code: str, violations: Violations) -> None:
    message = violations.summary()
    if not all("; " in one.description for one in violations.kept):
        message += f"; {_REMEDIES.get(code, FEATURE_REMEDY)}"
    raise Unsupported(f"{code}: {message}", code=code, violations=violations.violations())
