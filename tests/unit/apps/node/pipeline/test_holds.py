import pytest

from apps.node.pipeline.holds import wait_while_held


@pytest.fixture
def hold(tmp_path):
    return tmp_path / "hold"


def never(_):
    raise AssertionError("it waited")


@pytest.mark.parametrize("content", [None, "", "imputation\n", "qcx"])
def test_job_is_not_held_by_another_word_or_no_file(hold, content):
    if content is not None:
        hold.write_text(content)
    wait_while_held("qc", hold, say=never, sleep=never)
    wait_while_held("qc", None, say=never, sleep=never)


def test_job_waits_until_the_word_changes(hold):
    hold.write_text("qc\n")
    said: list[str] = []
    slept: list[float] = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            hold.write_text("imputation")

    wait_while_held("qc", hold, say=said.append, sleep=sleep)
    assert said == ["Held at qc."]
    assert slept == [0.1] * 3


def test_job_waits_a_minute_at_most(hold):
    hold.write_text("export")
    slept: list[float] = []
    wait_while_held("export", hold, say=lambda _: None, sleep=slept.append)
    assert sum(slept) == pytest.approx(60)
