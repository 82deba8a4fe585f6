"""What the pipeline's lines mean, and the child process around them."""

import pytest

from apps.node.child import (
    Child,
    Exited,
    Finished,
    MalformedEvent,
    MessageShown,
    OutputWritten,
    StepStarted,
    read_event,
)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ('{"event":"step","name":"Summary"}', StepStarted(name="Summary")),
        (
            '{"event":"message","type":3,"message":"a\\u0000b","replace":true}',
            MessageShown(type=3, text="ab", replace=True),
        ),
        (
            '{"event":"message","type":0,"message":"x"}',
            MessageShown(type=0, text="x", replace=False),
        ),
        (
            '{"event":"output","output":"output","path":"a/b"}',
            OutputWritten(output="output", path="a/b"),
        ),
        ('{"event":"finished","success":false}', Finished(success=False)),
    ],
)
def test_a_line_is_one_event(line, event):
    assert read_event(line) == event


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        "[]",
        "{}",
        '{"event":"other"}',
        '{"event":"step"}',
        '{"event":"step","name":1}',
        '{"event":"message","type":true,"message":"x"}',
        '{"event":"message","type":"0","message":"x"}',
        '{"event":"finished","success":"yes"}',
    ],
)
def test_anything_else_is_malformed(line):
    with pytest.raises(MalformedEvent):
        read_event(line)


def test_a_child_without_a_job_ends_with_an_error_and_its_reason_in_the_log(tmp_path):
    log = tmp_path / "job.log"
    child = Child.start(specification={"not": "a job"}, workspace=tmp_path, log=log)
    _, event = child.events.get(timeout=60)
    assert isinstance(event, Exited)
    assert event.status != 0
    assert "BadSpecification" in log.read_text()
    child.kill()  # after the end, it kills nobody


def test_a_killed_child_is_gone_when_it_says_so(tmp_path):
    child = Child.start(specification={"not": "a job"}, workspace=tmp_path, log=tmp_path / "log")
    child.kill()
    _, event = child.events.get(timeout=60)
    assert isinstance(event, Exited)
    assert event.status == -9
