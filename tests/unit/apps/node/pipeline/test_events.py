import io
import json
import re

import pytest

from apps.node.pipeline.events import Reporter


@pytest.fixture
def said():
    return io.StringIO()


@pytest.fixture
def reporter(said):
    return Reporter(said, lambda line: None)


def events(said):
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_running_line_is_replaced_by_what_follows_in_its_step(reporter, said):
    reporter.step("One")
    reporter.running("a")
    reporter.running("b")
    reporter.ok("c")
    reporter.warning("d")
    reporter.running("e")
    reporter.step("Two")
    reporter.error("f")
    shown = [(e["type"], e["message"], e["replace"]) for e in events(said) if "type" in e]
    assert shown == [
        (3, "a", True),
        (3, "b", True),
        (0, "c", True),
        (2, "d", False),
        (3, "e", True),
        (1, "f", False),
    ]


def test_progress_bar_never_falls_and_ends_full(reporter, said):
    with reporter.progress("Imputation", 2) as progress:
        for share in (0.1, 0.5, 0.4, 1.0):
            progress.share(share)
        progress.part()
        progress.share(0.3)
        progress.part()
    texts = [e["message"] for e in events(said)]
    widths = [int(width) for width in re.findall(r"width: (\d+)%", "".join(texts))]
    assert widths == sorted(widths)
    assert "<b>Imputation (0/2)</b>" in texts[0]
    assert "<b>Imputation (2/2)</b>" in texts[-1]
    assert (widths[-1], events(said)[-1]["type"]) == (100, 0)


def test_progress_ends_as_an_error_where_it_stood(reporter, said):
    def fail():
        with reporter.progress("Imputation", 4) as progress:
            progress.part()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    last = events(said)[-1]
    assert last["type"] == 1
    assert "(1/4)" in last["message"]
    assert "width: 25%" in last["message"]


def test_each_per_cent_is_sent_once(reporter, said):
    with reporter.progress("Imputation", 1) as progress:
        for step in range(10_000):
            progress.share(step / 10_000)
    assert len(events(said)) <= 102
