"""JSON can hold what PostgreSQL cannot: NUL and halves of characters. None of it gets past here."""

import copy
import json
from typing import Any

import pytest

from apps.contracts import examples
from apps.federation import michigan_answers as answers
from apps.federation.protocol import Malformed

UNSTORABLE = ["\0", "\ud800", "\udfff"]


def example(name: str) -> Any:
    return copy.deepcopy(examples.load("michigan")[name].body)


@pytest.mark.parametrize("character", UNSTORABLE)
def test_what_is_shown_of_a_job_can_be_stored(character: str):
    told = example("job-success")
    told["name"] += character
    told["steps"][0]["name"] += character
    told["steps"][0]["logMessages"][0]["message"] += character
    told["outputParams"][0]["name"] += character

    job = answers.job(told)
    shown = [job.name, *(file.output for file in job.files)]
    shown += [text for step in job.steps for text in (step.name, *(m.text for m in step.messages))]
    assert not [text for text in shown if character in text]


@pytest.mark.parametrize("character", UNSTORABLE)
def test_file_that_cannot_be_named_is_refused(character: str):
    told = example("job-success")
    told["outputParams"][0]["files"][0]["name"] += character

    with pytest.raises(Malformed):
        answers.job(told)


@pytest.mark.parametrize("character", UNSTORABLE)
@pytest.mark.parametrize("parameter", ["refpanel", "population"])
def test_key_that_cannot_be_stored_is_refused(parameter: str, character: str):
    told = example("app")
    values = next(p for p in told["params"] if p["id"] == parameter)["values"]
    values[0]["key"] += character

    with pytest.raises(Malformed):
        answers.discovery(json.loads(json.dumps(told)), application="imputationserver2")


@pytest.mark.parametrize("character", UNSTORABLE)
def test_version_of_the_application_can_be_stored(character: str):
    told = example("app")
    told["version"] += character
    told["id"] += character

    offered = answers.discovery(told, application="imputationserver2")

    assert character not in offered.version + offered.application
