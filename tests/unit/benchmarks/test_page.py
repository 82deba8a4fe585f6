"""The page that `make bench` writes."""

from benchmarks import Row
from benchmarks.__main__ import as_table, with_section


def test_table_says_which_bars_hold() -> None:
    rows = [
        Row(figure="r²", value=0.96606, bar="≥ 0.955", holds=True, note="60 samples"),
        Row(figure="time", value=71.23, unit="s", bar="≤ 60 s", holds=False),
        Row(figure="r², other", value=None, note="not installed"),
    ]

    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in as_table(rows).splitlines()
    ]

    assert cells[2] == ["r²", "0.9661", "≥ 0.955", "✓", "60 samples"]
    assert cells[3] == ["time", "71.2 s", "≤ 60 s", "✗", ""]
    assert cells[4] == ["r², other", "not measured", "", "", "not installed"]


def test_section_is_added_in_alphabetical_order_and_replaced() -> None:
    page = with_section("# Benchmarks\n\nIntroduction.\n", "platform", "old")
    page = with_section(page, "accuracy", "good")
    page = with_section(page, "platform", "new\n\n| a | b |")

    assert page == (
        "# Benchmarks\n\nIntroduction.\n\n## accuracy\n\ngood\n\n## platform\n\nnew\n\n| a | b |\n"
    )
