"""Why a file cannot be repaired, as a finding that a person can act on."""

import errno

from apps.genotypes.check.report import Finding, Severity

__all__ = ["Refused", "disk_full"]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Refused(ValueError):
    """The repair is not made, and nothing was left behind.

    Attributes:
        rule: A stable name of the reason.
        message: What is wrong, as a sentence.
        remedy: What to do, as a sentence.
        line: Number of the line, from 1, if the trouble has one.
        repair: Name of the repair that would help, if one would.
    """

    def __init__(
        self,
        rule: str,
        message: str,
        *,
        remedy: str = "",
        line: int | None = None,
        repair: str | None = None,
    ) -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.rule = rule
        self.message = message
        self.remedy = remedy
        self.line = line
        self.repair = repair

    def finding(self, file: str) -> Finding:
        """The refusal of `file` as the check would say it."""
        return Finding(
            rule=self.rule,
            severity=Severity.ERROR,
            message=self.message,
            file=file,
            line=self.line,
            count=1,
            remedy=self.remedy,
            repair=self.repair,
        )


def disk_full(error: OSError) -> Refused | None:
    """The refusal that an error of writing stands for; None when room was not the trouble."""
    if error.errno not in _NO_ROOM:
        return None
    return Refused(
        "disk-full",
        "The disk has no room left for the repaired file.",
        remedy="Nothing was changed. Make room and start the repair again.",
    )
