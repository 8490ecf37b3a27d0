"""The audit: which items safety rules refuse to everybody, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from shortlist.data.audit_frame import audit_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.data.audit_frame import Frame, Refusals
    from shortlist.data.memory import Memory
    from shortlist.stages import EligibilityRule


@runtime_checkable
class SafetyRule(Protocol):
    """A rule that keeps a record of what it refuses to everybody."""

    @property
    def name(self) -> str:
        """Return the name of the rule."""

    def refusals(self) -> Refusals:
        """Return the refused items with the column and the value that refuse them."""


def audit_of(rules: Sequence[EligibilityRule], memory: Memory) -> Frame:
    """Return one row for each item and safety rule that refuses it; see `Pipeline.audit`."""
    return audit_frame(
        memory, [(rule.name, rule.refusals()) for rule in rules if isinstance(rule, SafetyRule)]
    )
