"""Findings are collected, not raised: a person wants to know all that is wrong, in one go."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from apps.genotypes.check.catalog import RULES
from apps.genotypes.check.report import MAX_EXAMPLES, Example, Finding, Severity

__all__ = ["Findings", "shown"]

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def shown(text: bytes, limit: int = 40) -> str:
    """Bytes of a stranger's file as one short line of text that can be printed."""
    cut = text[:limit].decode("utf-8", "replace")
    plain = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in cut)
    return plain + "…" if len(text) > limit else plain


class Findings:
    """What is wrong with one file: each rule once for the file, or once for each panel.

    The message, the line and the severity are those of the first time.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: dict[tuple[str, str | None], Finding] = {}

    def __contains__(self, rule: str) -> bool:
        return (rule, None) in self._found

    def room(self, rule: str, panel: str | None = None) -> int:
        """How many more examples are wanted."""
        found = self._found.get((rule, panel))
        return MAX_EXAMPLES - (len(found.examples) if found else 0)

    def add(
        self,
        rule: str,
        message: str,
        *,
        line: int | None = None,
        count: int = 1,
        examples: Iterable[Example] = (),
        panel: str | None = None,
        severity: Severity | None = None,
    ) -> None:
        """Note that a rule is broken.

        Args:
            line: The first line that breaks it; examples of other lines are cut off at the limit.
            severity: Where it is another than the rule's own.
        """
        known = RULES[rule]
        old = self._found.get((rule, panel)) or Finding(
            rule=rule,
            severity=severity or known.severity,
            message=message,
            file=self._file,
            line=line,
            count=0,
            remedy=known.remedy,
            repair=known.repair,
            panel=panel,
        )
        self._found[rule, panel] = replace(
            old,
            count=old.count + count,
            examples=(*old.examples, *examples)[:MAX_EXAMPLES],
        )

    def add_lines(
        self,
        rule: str,
        message: str,
        numbers: npt.NDArray[np.int64],
        texts: Iterable[str] | None = None,
    ) -> None:
        """Note lines that break a rule.

        Args:
            numbers: Of the lines, in their order, at least one.
            texts: What stands there; no more are taken than there is room for.
        """
        lines = numbers[: self.room(rule)].tolist()
        self.add(
            rule,
            message,
            line=int(numbers[0]),
            count=len(numbers),
            examples=[
                Example(line=line, text=text)
                for line, text in zip(lines, texts or [""] * len(lines), strict=False)
            ],
        )

    def errors(self) -> list[Finding]:
        """Those of the file itself for which any service refuses it."""
        return [f for f in self.all() if f.severity is Severity.ERROR and f.panel is None]

    def all(self) -> tuple[Finding, ...]:
        """The worst first, then in the order of the table of rules."""
        rules = list(RULES)
        return tuple(
            sorted(
                self._found.values(),
                key=lambda f: (_ORDER.index(f.severity), rules.index(f.rule), f.panel or ""),
            )
        )
