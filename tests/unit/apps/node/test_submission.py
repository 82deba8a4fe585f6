"""What becomes of a submission's fields and files, also of hostile ones."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.node import workspaces
from apps.node.michigan.submission import ParameterRefused, escape_html4, read_submission
from apps.node.models import Job
from apps.node.operations.jobs import STEPS


def names_in(job: Job) -> dict[str, bytes]:
    folder = workspaces.workspace(job.pk) / "input"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_defaults_are_those_of_the_application():
    submission = read_submission(
        application_id="imputationserver2", fields={}, file_fields=["files"], panels=[]
    )
    assert dict(submission.parameters) == {
        "refpanel": "",
        "build": "hg19",
        "r2Filter": "0",
        "phasing": "eagle",
        "population": "",
        "mode": "imputation",
        "aesEncryption": False,
        "meta": False,
        "myseparator": "",
        "check1": "",
        "check2": "",
    }
    assert submission.password == ""


def test_text_in_the_place_of_files_is_refused():
    with pytest.raises(ParameterRefused, match="URL-based uploads are no longer supported"):
        read_submission(
            application_id="imputationserver2",
            fields={"files": "https://example.org/a"},
            file_fields=[],
            panels=[],
        )


def test_files_in_the_place_of_text_are_refused():
    with pytest.raises(ParameterRefused, match="'build' not found"):
        read_submission(
            application_id="imputationserver2", fields={}, file_fields=["build"], panels=[]
        )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<&>\"'", "&lt;&amp;&gt;&quot;'"),
        ("Zürich", "Z&uuml;rich"),
        ("日本", "日本"),
        ("A-Za-z0-9_.-", "A-Za-z0-9_.-"),
    ],
)
def test_texts_are_stored_as_html4(text, escaped):
    assert escape_html4(text) == escaped


def test_a_job_starts_with_all_steps_and_no_password_in_clear(amina):
    job = amina.submitted(password="secret-Word1")
    assert [step.name for step in job.steps.order_by("position")] == list(STEPS)
    assert "secret" not in job.password
    assert "secret" not in str(job.parameters)
    assert job.name == job.pk


def test_jobs_of_the_same_millisecond_get_different_ids(account):
    with time_machine.travel(datetime(2026, 10, 1, 10, 15, 0, 998_500, tzinfo=UTC), tick=False):
        jobs = [account(f"user{number}").submitted().pk for number in range(3)]
    assert jobs == [
        "job-20261001-101500-998",
        "job-20261001-101500-999",
        "job-20261001-101501-000",
    ]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("study.vcf.gz", "study.vcf.gz"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\evil.vcf.gz", "evil.vcf.gz"),
        ("-rf.vcf.gz", "rf.vcf.gz"),
        (".hidden.vcf.gz", "hidden.vcf.gz"),
        ("a b;$(x).vcf.gz", "a_b___x_.vcf.gz"),
        ("été.vcf.gz", "_t_.vcf.gz"),
    ],
)
def test_file_names_become_safe_base_names(amina, sent, stored):
    assert list(names_in(amina.submitted(files=[(sent, b"x")]))) == [stored]


@pytest.mark.parametrize("name", ["", ".", "..", "...", "/", "-", "x" * 400 + ".vcf.gz"])
def test_no_name_leaves_its_folder(name):
    safe = workspaces.safe_name(name)
    assert safe
    assert "/" not in safe
    assert safe[0] not in ".-"
    assert len(safe) <= 150


def test_of_two_files_with_one_name_the_last_stays(amina):
    job = amina.submitted(files=[("a.vcf.gz", b"first"), ("a.vcf.gz", b"second")])
    assert names_in(job) == {"a.vcf.gz": b"second"}
    assert list(workspaces.uploads_root().iterdir()) == []


def test_uploads_move_into_the_workspace_and_a_refused_one_leaves_nothing(amina):
    job = amina.submitted(files=[("a.vcf.gz", b"x" * 3_000_000), ("b.vcf.gz", b"y")])
    assert {name: len(content) for name, content in names_in(job).items()} == {
        "a.vcf.gz": 3_000_000,
        "b.vcf.gz": 1,
    }
    amina.submitted()
    assert amina.submit().status_code == 400
    assert list(workspaces.uploads_root().iterdir()) == []
    assert len(list(workspaces.jobs_root().iterdir())) == 2


BOUNDARY = "multipart/form-data; boundary=B"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=" + "x" * 300, b"x"),
        (BOUNDARY, b""),
        (BOUNDARY, b"--B\r\nContent-Disposition: form-data; name=" + b"x" * 5000),
        (BOUNDARY, b"--B\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!"),
        (
            BOUNDARY,
            b'--B\r\nContent-Disposition: form-data; name="a"\r\n'  # noqa: ISC004
            b"Content-Transfer-Encoding: base64\r\n\r\n=a\r\n--B--\r\n",
        ),
        ("text/plain", b"x"),
    ],
)
def test_malformed_bodies_never_crash(amina, content_type, body):
    answer = Client().generic(
        "POST",
        "/api/v2/jobs/submit/imputationserver2",
        body,
        content_type=content_type,
        headers={"X-Auth-Token": amina.api_token},
    )
    assert answer.status_code in {200, 400, 415}
    if answer.status_code == 200:  # a form without any field: the job fails in its first step
        assert names_in(Job.objects.get()) == {}


def test_too_many_fields_or_files_are_refused(amina, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 3
    answer = amina.submit(files=[(f"{number}.vcf.gz", b"x") for number in range(4)])
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert amina.submit(population="x" * 2000).status_code in {400, 413}
    assert not Job.objects.exists()


def test_a_file_in_an_unknown_field_is_refused(amina):
    upload = SimpleUploadedFile("a.vcf.gz", b"x")
    answer = amina.request(
        "post", "/api/v2/jobs/submit/imputationserver2", data={"reference": upload}
    )
    assert answer.json()["message"] == "Parameter 'reference' not found."


def test_names_that_become_equal_stay_two_files(amina):
    job = amina.submitted(
        files=[("a b.vcf.gz", b"1"), ("a;b.vcf.gz", b"2"), ("a_b.vcf.gz", b"3"), ("é" * 300, b"4")]
    )
    assert names_in(job) == {
        "a_b.vcf.gz": b"1",
        "2_a_b.vcf.gz": b"2",
        "3_a_b.vcf.gz": b"3",
        "_" * 150: b"4",
    }


def test_long_names_that_are_cut_stay_two_files():
    same = "a" * 240 + ".vcf.gz"
    names = workspaces.safe_names([same, f"b{same}", same])
    assert len(names) == len(set(names.values())) == 2
    assert all(len(name) <= 150 and name.endswith(".vcf.gz") for name in names.values())


def test_an_upload_of_no_bytes_is_a_file_like_any_other(amina):
    assert names_in(amina.submitted(files=[("empty.vcf.gz", b"")])) == {"empty.vcf.gz": b""}
