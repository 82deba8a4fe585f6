"""The adapter against a scripted server: submissions, jobs, and what their failures mean."""

import hashlib
import io
import json
import logging
from dataclasses import replace

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from apps.federation.michigan import Michigan
from apps.federation.michigan_answers import discovery
from apps.federation.protocol import (
    Busy,
    Down,
    ExternalState,
    Forbidden,
    InputFile,
    Malformed,
    NotAuthenticated,
    NotFound,
    Rejected,
    Uncertain,
    Unreachable,
)
from apps.shared.http.client import LIMITS, GuardedClient
from tests.michigan_server import MichiganServer
from tests.michigan_troubles import CutAnswer, CutRequest, Hang, Redirect, Reply, Silence
from tests.servers import free_port

PAGE = "<html><head><title>Down</title><style>b {}</style></head><body><h1>Sorry</h1></body></html>"
IMPATIENT = {**LIMITS, "call": replace(LIMITS["call"], idle=0.3)}
IMPATIENT["upload"] = replace(LIMITS["upload"], idle=0.3)


def impatient(server: MichiganServer) -> Michigan:
    client = GuardedClient(allow=frozenset({server.target}), limits=IMPATIENT)
    return Michigan(base_url=server.url, token=server.token, client=client)


def test_a_submission_carries_all_its_fields_and_files(michigan, server, submission):
    external_id = michigan.submit(submission)

    job = server.jobs[external_id]
    assert job.name == "fip-1"
    assert job.fields == {
        "job-name": "fip-1",
        "refpanel": "apps@kit-afr@1.0.0",
        "build": "hg19",
        "r2Filter": "0.3",
        "phasing": "no_phasing",
        "population": "afr",
        "mode": "imputation",
        "aesEncryption": "true",
        "meta": "true",
        "password": "Secret-1",
    }
    content = submission.files[0].path.read_bytes()
    assert job.uploads == {"chr20.vcf.gz": (len(content), hashlib.sha256(content).hexdigest())}


def test_a_no_is_said_by_leaving_the_checkbox_out(michigan, server, submission):
    external_id = michigan.submit(replace(submission, aes=False, meta=False, password=None))

    assert not {"aesEncryption", "meta", "password"} & set(server.jobs[external_id].fields)


def test_no_filter_is_sent_as_zero(michigan, server, submission):
    external_id = michigan.submit(replace(submission, r2_filter=0.0))

    assert server.jobs[external_id].fields["r2Filter"] == "0"


def test_several_files_arrive_whole(michigan, server, submission, tmp_path):
    second = tmp_path / "second"
    second.write_bytes(b"\r\n--\r\n" * 1000)
    files = (*submission.files, InputFile(path=second, name="chr21.vcf.gz"))

    external_id = michigan.submit(replace(submission, files=files))

    size, digest = server.jobs[external_id].uploads["chr21.vcf.gz"]
    assert (size, digest) == (6000, hashlib.sha256(second.read_bytes()).hexdigest())
    assert len(server.jobs[external_id].uploads) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"tag": "fip 1"},
        {"password": 'a"b'},
        {"password": "pässword"},
        {"password": ""},
        {"files": ()},
        {"files": ("study.vcf",)},
        {"files": ("a/b.vcf.gz",)},
        {"files": ('a".vcf.gz',)},
        {"files": ("a.vcf.gz", "a.vcf.gz")},
    ],
)
def test_nothing_is_sent_when_the_service_would_change_it(michigan, server, submission, change):
    if "files" in change:
        path = submission.files[0].path
        change = {"files": tuple(InputFile(path=path, name=name) for name in change["files"])}

    with pytest.raises(ValueError, match=r"only\.|overwrite"):
        michigan.submit(replace(submission, **change))

    assert server.requests == []


@pytest.mark.parametrize("after", [0, 1, 700, 50_000, 102_400])
def test_a_submission_cut_on_its_way_is_uncertain(michigan, server, submission, after):
    server.next("submit", CutRequest(after=after))

    with pytest.raises(Uncertain):
        michigan.submit(submission)

    assert server.count("submit") == 1
    assert michigan.find("fip-1") is None


@pytest.mark.parametrize("script", [Silence(), CutAnswer(after=0), CutAnswer(after=20)])
def test_an_accepted_submission_without_an_answer_is_uncertain_and_found(
    michigan, server, submission, script
):
    server.next("submit", script)

    with pytest.raises(Uncertain):
        michigan.submit(submission)

    assert server.submissions["fip-1"] == 1
    found = michigan.find("fip-1")
    assert found is not None
    assert found.id in server.jobs


def test_a_submission_without_an_answer_in_time_is_uncertain(server, submission):
    server.next("submit", Hang())

    with pytest.raises(Uncertain, match="in time"):
        impatient(server).submit(submission)

    assert server.count("submit") == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, PAGE),
        Reply(200, b""),
        Reply(200, {"success": True, "message": "no id"}),
        Reply(200, {"success": True, "id": "../../etc"}),
        Reply(200, ["job"]),
        Reply(302, b"", {"Location": "/login"}),
        Reply(500, {"message": "Internal", "success": False}),
        Reply(502, PAGE),
        Reply(503, PAGE),
        Reply(504, PAGE),
    ],
)
def test_an_answer_that_does_not_tell_of_the_job_is_uncertain(michigan, server, submission, reply):
    server.next("submit", reply)

    with pytest.raises(Uncertain):
        michigan.submit(submission)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(413, PAGE), Rejected),
        (Reply(401, PAGE), NotAuthenticated),
        (Reply(429, PAGE, {"Retry-After": "30"}), Busy),
        (Reply(400, PAGE), Malformed),
        (Reply(403, PAGE), Malformed),
        (Reply(404, PAGE), Malformed),
        (Reply(200, {"success": False, "message": "No."}), Rejected),
        (Reply(503, {"success": False, "message": "Later."}, {"Retry-After": "7"}), Busy),
    ],
)
def test_an_answer_that_tells_of_no_job_says_why(michigan, server, submission, reply, error):
    server.next("submit", reply)

    with pytest.raises(error) as caught:
        michigan.submit(submission)

    assert type(caught.value) is error
    assert "<" not in str(caught.value)
    if isinstance(caught.value, Busy):
        assert caught.value.retry_after in {7, 30}


def test_nobody_listening_is_unreachable(submission):
    target = f"127.0.0.1:{free_port()}"
    client = GuardedClient(allow=frozenset({target}))
    michigan = Michigan(base_url=f"http://{target}", token="t", client=client)

    with pytest.raises(Unreachable):
        michigan.submit(submission)
    with pytest.raises(Unreachable):
        michigan.job("job-1")


def test_a_target_the_guard_refuses_is_unreachable(server, submission):
    michigan = Michigan(base_url=server.url, token=server.token, client=GuardedClient())

    with pytest.raises(Unreachable):
        michigan.submit(submission)

    assert server.requests == []


def test_the_service_limits_the_jobs_of_a_user(michigan, server, submission):
    server.job_limit = 1
    michigan.submit(submission)

    with pytest.raises(Busy, match=r"^Only 1 jobs per user can be executed simultaneously\.$"):
        michigan.submit(replace(submission, tag="fip-2"))


def test_the_service_refuses_submissions_in_maintenance(michigan, server, submission):
    server.maintenance = True

    with pytest.raises(Busy, match="maintenance"):
        michigan.submit(submission)
    assert michigan.discover().in_maintenance


def test_an_unknown_application_is_told(server, client, submission):
    michigan = Michigan(
        base_url=server.url, token=server.token, client=client, application="minimac4"
    )
    with pytest.raises(NotFound, match=r"Application 'minimac4' not found\."):
        michigan.submit(submission)


def test_an_application_may_be_named_with_its_version(server, client, submission):
    michigan = Michigan(
        base_url=server.url,
        token=server.token,
        client=client,
        application="imputationserver2@2.0.12",
    )
    assert michigan.submit(submission) in server.jobs
    assert server.requests[-1].path == "/api/v2/jobs/submit/imputationserver2@2.0.12"


def test_a_job_is_followed_to_its_end(michigan, server, submission):
    external_id = michigan.submit(submission)

    jobs = [michigan.job(external_id) for _ in range(5)]

    assert [job.state.value for job in jobs] == [
        "waiting",
        "running",
        "exporting",
        "succeeded",
        "succeeded",
    ]
    assert [job.state.is_final for job in jobs] == [False, False, False, True, True]


def test_cancelling_tells_whether_it_happened(michigan, submission):
    external_id = michigan.submit(submission)

    assert michigan.cancel(external_id).state is ExternalState.CANCELLED
    assert michigan.job(external_id).state is ExternalState.CANCELLED


def test_cancelling_a_finished_job_changes_nothing(michigan, server):
    job = server.add_job("done", 4)

    assert michigan.cancel(job.id).state is ExternalState.SUCCEEDED


def test_a_dead_job_is_restarted_under_its_own_id(michigan, server):
    job = server.add_job("fip-1", -1)
    assert michigan.job(job.id).state is ExternalState.DEAD

    michigan.restart(job.id)

    assert michigan.job(job.id).state is ExternalState.WAITING
    assert len(server.jobs) == 1
    with pytest.raises(Rejected, match="is not pending"):
        michigan.restart(job.id)


def test_a_tag_is_found_on_a_later_page_and_no_page_is_read_after_it(michigan, server):
    server.add_job("fip-1", 4)
    for number in range(40):
        server.add_job(f"other-{number}", 4)
    server.add_job("fip-1", 1)
    for number in range(20):
        server.add_job(f"newer-{number}", 4)

    found = michigan.find("fip-1")

    assert found is not None
    assert found.state is ExternalState.WAITING
    assert server.count("list") == 2


def test_a_tag_must_match_whole(michigan, server):
    server.add_job("fip-11", 4)
    server.add_job("FIP-1", 4)

    assert michigan.find("fip-1") is None


def test_all_pages_are_read_before_a_tag_is_called_absent(michigan, server):
    for number in range(31):
        server.add_job(f"other-{number}", 4)

    assert michigan.find("fip-1") is None
    assert [r.path.partition("?")[2] for r in server.requests] == ["page=1", "page=2", "page=3"]


def page(names: list[str], count: int) -> Reply:
    jobs = [{"id": f"job-{name}", "name": name, "state": 1} for name in names]
    return Reply(200, {"count": count, "data": jobs})


def test_a_job_that_slips_between_pages_is_found_by_reading_again(michigan, server):
    # After page 1 a job of it is deleted, so the one sought moves there from page 2.
    server.next("list", page(["a", "b"], 3), page([], 2))
    server.next("list", page(["b", "fip-1"], 2))

    found = michigan.find("fip-1")

    assert found is not None
    assert found.id == "job-fip-1"


def test_a_list_that_never_holds_still_is_not_called_empty(michigan, server):
    for _ in range(3):
        server.next("list", page(["a", "b"], 4), page([], 3))

    with pytest.raises(Busy):
        michigan.find("fip-1")


def test_an_old_server_that_lists_few_members_is_understood(michigan, server):
    server.next("list", page(["fip-1"], 1))

    found = michigan.find("fip-1")

    assert found is not None
    assert (found.state, found.steps, found.files) == (ExternalState.WAITING, (), ())


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(200, PAGE), Malformed),
        (Reply(200, b'{"id": "job-1", "sta'), Malformed),
        (Reply(200, b"[" * 100_000), Malformed),
        (Reply(200, []), Malformed),
        (Reply(404, PAGE), Malformed),
        (Reply(302, b"", {"Location": "https://example.org/"}), Malformed),
        (Reply(200, {"id": "job-1", "name": "x", "state": 11}), Malformed),
        (Reply(200, {"id": "job-1", "name": "x", "state": True}), Malformed),
        (Reply(200, {"id": "job-1", "name": "x", "state": "4"}), Malformed),
        (Reply(200, {"id": "job-1", "name": "x"}), Malformed),
        (Reply(200, {"id": "../../x", "name": "x", "state": 4}), Malformed),
        (Reply(200, {"id": "job-1", "state": 4, "steps": "none"}), Malformed),
        (Reply(200, {"id": "job-1", "state": 4, "outputParams": [3]}), Malformed),
        (Reply(200, {"success": False, "message": "no"}), Rejected),
        (Reply(403, {"success": False, "message": "Access denied."}), Forbidden),
        (Reply(500, {"success": False, "message": "oops"}), Down),
        (Reply(502, PAGE), Down),
        (Silence(), Uncertain),
        (CutAnswer(after=100), Uncertain),
        (Redirect("http://127.0.0.1:1/"), Malformed),
    ],
)
def test_a_poll_that_fails_says_why(michigan, server, reply, error):
    job = server.add_job("fip-1", 4)
    server.next("job", reply)

    with pytest.raises(error) as caught:
        michigan.job(job.id)

    assert type(caught.value) is error
    assert "<" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/../../b", "a\\b", "", "a//b", "./a", "a\nb"],
)
def test_a_file_outside_its_folder_is_refused(michigan, server, name):
    file = {"name": name, "hash": "a" * 64, "count": 10, "size": "1 MB"}
    body = {"id": "job-1", "name": "x", "state": 4, "outputParams": [{"files": [file]}]}
    server.next("job", Reply(200, body))

    with pytest.raises(Malformed):
        michigan.job("job-1")


@pytest.mark.parametrize("words", ["Canceled by user.", "Job was <b>cancelled</b>."])
def test_a_notified_job_that_was_cancelled_is_not_called_failed(michigan, server, words):
    message = {"message": words, "type": 1, "time": 0, "success": True}
    steps = [{"name": "Summary", "logMessages": [message]}]
    server.next("job", Reply(200, {"id": "job-1", "name": "x", "state": 9, "steps": steps}))

    assert michigan.job("job-1").state is ExternalState.CANCELLED


@pytest.mark.parametrize("external_id", ["", "..", "a/b", "job 1", "job?x=1", "."])
def test_an_id_that_no_service_gave_is_not_asked_for(michigan, server, external_id):
    with pytest.raises(ValueError, match="external id"):
        michigan.job(external_id)
    assert server.requests == []


def test_a_wrong_token_is_told(server, client):
    with pytest.raises(NotAuthenticated):
        Michigan(base_url=server.url, token="wrong", client=client).job("job-1")


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Other: 1", "tökén", "a\x00"])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(server, client, token):
    with pytest.raises(NotAuthenticated) as caught:
        Michigan(base_url=server.url, token=token, client=client)
    assert not token or token not in str(caught.value)


def test_the_token_is_in_no_text(michigan, server, submission, caplog):
    caplog.set_level(logging.DEBUG)
    server.next("job", Reply(400, {"success": False, "message": f"Bad token {server.token}."}))
    server.next("job", Reply(404, f"<p>Header was {server.token}</p>"))
    server.next("submit", Reply(500, f"X-Auth-Token: {server.token}"))

    texts = [repr(michigan)]
    for call in (lambda: michigan.job("job-1"), lambda: michigan.job("job-1")):
        with pytest.raises((Rejected, Malformed)) as refused:
            call()
        texts.append(str(refused.value))
    with pytest.raises(Uncertain) as uncertain:
        michigan.submit(submission)
    texts.append(str(uncertain.value))

    assert server.token not in json.dumps(texts) + caplog.text
    assert "Secret-1" not in json.dumps(texts) + caplog.text + repr(submission)
    assert all(request.headers["x-auth-token"] == server.token for request in server.requests)


def test_blanks_around_a_pasted_token_are_left_out(server, client):
    Michigan(base_url=server.url + "/", token=f" {server.token}\n", client=client).discover()


def panels(values, population):
    return {
        "id": "imputationserver2",
        "version": "2.0.12",
        "params": [{"id": "refpanel", "values": values}, {"id": "population", **population}],
    }


def test_a_panel_finds_its_populations_though_the_version_differs():
    values = [{"key": "apps@hapmap-2@2.0.0", "value": "HapMap 2 (GRCh37/hg19)"}]
    bound = [{"key": "apps@hapmap-2", "label": "", "values": [{"key": "eur", "value": "EUR"}]}]
    population = {"type": "binded_list", "bind": "refpanel", "values": bound}

    (panel,) = discovery(panels(values, population), application="x").panels

    assert panel.populations == ("eur",)
    assert panel.build == "hg19"


def test_the_populations_of_an_exact_key_come_first():
    values = [{"key": "apps@p@1.0.0", "value": "P"}, {"key": "apps@p@2.0.0", "value": "P"}]
    bound = [
        {"key": f"apps@p@{version}", "values": [{"key": population, "value": ""}]}
        for version, population in (("2.0.0", "new"), ("1.0.0", "old"))
    ]
    population = {"type": "binded_list", "values": bound}

    found = discovery(panels(values, population), application="x").panels

    assert [panel.populations for panel in found] == [("old",), ("new",)]


def test_populations_that_are_bound_to_no_panel_hold_for_all():
    population = {"type": "list", "values": [{"key": "eur", "value": ""}]}
    values = [{"key": "a", "value": "A"}, {"key": "b", "value": "B hg19 hg38"}]

    found = discovery(panels(values, population), application="x").panels

    assert [panel.populations for panel in found] == [("eur",), ("eur",)]
    assert [panel.build for panel in found] == ["", ""]


@pytest.mark.parametrize(
    "schema",
    [[], {}, {"params": []}, {"params": [1]}, {"params": [{"id": "refpanel", "values": [{}]}]}],
)
def test_a_schema_without_usable_panels_is_malformed(schema):
    with pytest.raises(Malformed):
        discovery(schema, application="x")


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "https://example.org/?x=1"},
        {"base_url": "https://x/#y"},
        {"application": "a/b"},
    ],
)
def test_an_address_or_application_that_cannot_be_one_is_refused(client, settings):
    with pytest.raises(ValueError, match=r"must end|not well-formed"):
        Michigan(**{"base_url": "https://example.org", "token": "t", "client": client, **settings})


def test_an_answer_above_the_cap_is_malformed(server):
    limits = {**LIMITS, "call": replace(LIMITS["call"], answer=100)}
    client = GuardedClient(allow=frozenset({server.target}), limits=limits)
    michigan = Michigan(base_url=server.url, token=server.token, client=client)

    with pytest.raises(Malformed, match="more than 100 bytes"):
        michigan.discover()


class Endless(BaseAdapter):
    """A service whose every page of the job list looks alike."""

    def send(self, *args, **kwargs):
        page = {"count": 10**9, "data": [{"id": "job-1", "name": "other", "state": 1}]}
        response = requests.Response()
        response.status_code = 200
        response.raw = HTTPResponse(io.BytesIO(json.dumps(page).encode()), preload_content=False)
        return response


def test_a_list_without_an_end_is_malformed():
    client = GuardedClient(transport=Endless())

    with pytest.raises(Malformed, match="does not end"):
        Michigan(base_url="https://example.org", token="t", client=client).find("fip-1")
