"""Measured figures: `python -m benchmarks [NAME …]`.

One module per benchmark, each with `run() -> list[Row]`. A figure that misses its bar is shown as
missed; it fails no test, since a busy machine is slow without being wrong.
"""

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured figure.

    Attributes:
        figure: What was measured, in a few words.
        value: The measurement; None when it could not be made here, and then `note` says why.
        unit: Its unit; empty for a pure number.
        bar: What it is held against, as printed ("≥ 0.955", "≤ 60"); empty when nothing is asked.
        holds: Whether the bar is reached; None without a bar or without a value.
        note: The circumstances that a reader needs to judge it.
    """

    figure: str
    value: float | None
    unit: str = ""
    bar: str = ""
    holds: bool | None = None
    note: str = ""
