"""What stores were asked for, as those are billed that are billed by what they are asked."""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True, kw_only=True)
class Used:
    """Of a warehouse its ``operations`` (queries and loads) and the bytes that are ``billed``; of a
    bucket its ``writes``, listings included (class A), and ``reads`` (class B)."""

    operations: int = 0
    billed: int = 0
    writes: int = 0
    reads: int = 0

    def since(self, before: Used) -> Used:
        """What has come to it since then."""
        return Used(
            operations=self.operations - before.operations,
            billed=self.billed - before.billed,
            writes=self.writes - before.writes,
            reads=self.reads - before.reads,
        )

    def __add__(self, other: Used) -> Used:
        return Used(
            operations=self.operations + other.operations,
            billed=self.billed + other.billed,
            writes=self.writes + other.writes,
            reads=self.reads + other.reads,
        )

    @property
    def counts(self) -> tuple[int, ...]:
        """All four, in their order."""
        return astuple(self)
