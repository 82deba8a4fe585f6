"""What legacy columns say has equal rows of its own: copied from before, and as it is written."""

import io
import json
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import IntegrityError

from federated_imputation.monolith.accounts.models import NotificationPreference, UserProfile
from federated_imputation.monolith.backfills.catalogue import BACKFILLS, find_backfill
from federated_imputation.monolith.backfills.models import BackfillProgress
from federated_imputation.monolith.backfills.operations import run_batch
from federated_imputation.monolith.files.models import GenotypeFile, ResultFile, StoredFile
from federated_imputation.monolith.jobs.models import ImputationJob
from tests.factories import NOW, make_job, make_panel, make_service, make_user
from tests.kills import dies_at
from tests.legacy_database import values_of

MD5, SHA256 = "a" * 32, "b" * 64


def backfill(*arguments):
    """What the command prints as JSON, by backfill, and what it complains of."""
    out = io.StringIO()
    complaint = ""
    try:
        call_command("backfill", *arguments, "--json", stdout=out)
    except CommandError as error:
        complaint = str(error)
    found = {each.pop("name"): each for each in json.loads(out.getvalue())["backfills"]}
    return found, complaint


def unequal():
    found, _ = backfill("check")
    return {line for each in found.values() for line in each["first"]}


@pytest.fixture
def owner(db):
    return make_user()


@pytest.fixture
def panel(db):
    return make_panel(make_service())


@pytest.fixture
def job(owner, panel):
    return make_job(
        owner,
        panel,
        input_file="uploads/input/" + "0" * 32 + "-study.vcf.gz",
        input_file_size=2**31,
    )


def as_before_the_copies():
    """Rows that were there before there were triggers: as legacy rows are."""
    StoredFile.objects.all().delete()
    NotificationPreference.objects.all().delete()


# What is written now is copied in the same transaction.


def test_input_of_a_job_is_a_stored_file(job, owner):
    stored = StoredFile.objects.get()
    assert (stored.source, stored.kind) == (f"input:{job.pk}", "input")
    assert (stored.user_id, stored.job_id) == (owner.pk, job.pk)
    assert (stored.path, stored.name) == (job.input_file, "study.vcf.gz")
    assert (stored.size, stored.created_at) == (2**31, NOW)


def test_job_without_an_input_has_no_stored_file(owner, panel):
    make_job(owner, panel)
    make_job(owner, panel, input_file="")
    assert not StoredFile.objects.exists()


def test_stored_file_follows_its_job(job):
    StoredFile.objects.update(sha256=SHA256)
    ImputationJob.objects.update(progress_percentage=10)
    assert StoredFile.objects.get().sha256 == SHA256
    ImputationJob.objects.update(input_file="uploads/input/other.vcf.gz")
    assert StoredFile.objects.get().path == "uploads/input/other.vcf.gz"
    assert StoredFile.objects.get().sha256 == ""
    ImputationJob.objects.update(input_file="")
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize(
    ("checksum", "sha256", "md5"),
    [("B" * 64, SHA256, ""), (MD5, "", MD5), ("not hex", "", ""), ("", "", "")],
)
def test_result_file_is_a_stored_file(job, checksum, sha256, md5):
    result = ResultFile.objects.create(
        job=job,
        filename="chr_20.zip",
        file_type="imputed_data",
        file_path="results/chr_20.zip",
        download_url="https://example.org/chr_20.zip",
        file_size=2**40,
        checksum=checksum,
        is_available=False,
        expires_at=NOW,
        created_at=NOW,
    )
    stored = StoredFile.objects.get(result_id=result.pk)
    assert (stored.kind, stored.detail, stored.name) == ("result", "imputed_data", "chr_20.zip")
    assert (stored.user_id, stored.job_id) == (job.user_id, job.pk)
    assert (stored.path, stored.url) == (result.file_path, result.download_url)
    assert (stored.sha256, stored.md5, stored.size) == (sha256, md5, 2**40)
    assert (stored.is_available, stored.expires_at) == (False, NOW)
    ResultFile.objects.update(is_available=True, file_size=-1)
    stored.refresh_from_db()
    assert (stored.is_available, stored.size) == (True, None)
    ResultFile.objects.all().delete()
    assert not StoredFile.objects.filter(kind="result").exists()


@pytest.mark.parametrize(
    ("listed", "files"),
    [
        ([], []),
        ({}, []),
        (7, []),
        ([7, None, True, [], {"x": 1}, {"name": {"deep": 1}}, ""], []),
        (["results/a b.zip"], [("a b.zip", "results/a b.zip", "", None)]),
        ("https://e.org/c.zip", [("c.zip", "", "https://e.org/c.zip", None)]),
        ({"files": [{"name": "a", "size": 2**31}]}, [("a", "", "", 2**31)]),
        (
            {"filename": "a", "download_url": "https://e.org/a"},
            [("a", "", "https://e.org/a", None)],
        ),
        ([{"name": "n" * 300, "size": 2.5}], [("n" * 255, "", "", None)]),
        ([{"path": "p" * 600, "name": "a", "size": "55 MB"}], [("a", "", "", None)]),
        ([{"name": "a", "size": 10**30}, {"name": "a", "size": -1}], [("a", "", "", None)] * 2),
    ],
)
def test_whatever_a_list_of_results_holds_is_a_stored_file_or_nothing(owner, panel, listed, files):
    make_job(owner, panel, result_files=listed)
    found = StoredFile.objects.order_by("source").values_list("name", "path", "url", "size")
    assert list(found) == files


def test_listed_result_that_has_a_row_is_stored_once(job):
    listed = [{"name": name, "hash": SHA256} for name in ("a.zip", "b.zip")]
    ImputationJob.objects.update(result_files=listed)
    assert StoredFile.objects.filter(kind="result", sha256=SHA256).count() == 2
    ResultFile.objects.create(job=job, filename="a.zip")
    sources = StoredFile.objects.filter(kind="result").values_list("source", flat=True)
    assert sorted(sources) == [f"listed:{job.pk}:2", f"result:{ResultFile.objects.get().pk}"]
    ImputationJob.objects.update(result_files=[])
    assert StoredFile.objects.get(kind="result").result_id == ResultFile.objects.get().pk


def test_genotype_file_is_a_stored_file(owner):
    kept = GenotypeFile.objects.create(
        user=owner, name="a.vcf", path="genotypes/a.vcf", size=3, sha256=SHA256, format="vcf"
    )
    stored = StoredFile.objects.get()
    assert (stored.kind, stored.genotype_id, stored.user_id) == ("genotype", kept.pk, owner.pk)
    assert (stored.name, stored.path, stored.size) == (kept.name, kept.path, 3)
    assert (stored.sha256, stored.job_id) == (SHA256, None)
    kept.delete()
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize("table", ["imputation_imputationjob", "auth_user"])
def test_stored_files_end_with_what_they_belong_to_when_old_processes_delete(job, table):
    key = job.user_id if table == "auth_user" else job.pk
    with connection.cursor() as cursor:
        if table == "auth_user":
            cursor.execute("DELETE FROM imputation_imputationjob WHERE user_id = %s", [key])
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [key])  # noqa: S608
    assert not StoredFile.objects.exists()


def test_switch_for_mail_is_one_whoever_turns_it(db):
    profile = UserProfile.objects.create(user=make_user(), email_notifications=False)
    preference = NotificationPreference.objects.get(user_id=profile.user_id)
    assert preference.email_enabled is False
    UserProfile.objects.update(email_notifications=True)
    preference = NotificationPreference.objects.get(user_id=profile.user_id)
    assert preference.email_enabled is True
    preference.email_enabled = False
    preference.save()
    profile.refresh_from_db()
    assert not profile.email_notifications


def test_end_of_a_user_ends_the_preferences(db):
    user = UserProfile.objects.create(user=make_user()).user
    user.delete()
    assert not NotificationPreference.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_hours_start": "24:00", "quiet_hours_end": "07:00"},
        {"quiet_hours_start": "7:00", "quiet_hours_end": "08:00"},
        {"quiet_hours_start": "22:00"},
        {"digest_frequency": "yearly"},
    ],
)
def test_preferences_that_cannot_be_are_refused(owner, wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        NotificationPreference.objects.create(user_id=owner.pk, **wrong)


def test_quiet_hours_may_pass_midnight(owner):
    NotificationPreference.objects.create(
        user_id=owner.pk, quiet_hours_start="22:00", quiet_hours_end="06:59"
    )


# What was there before is copied by hand.


def test_run_copies_what_was_there_before(job):
    UserProfile.objects.create(user=make_user("ben"), email_notifications=False)
    ResultFile.objects.create(job=job, filename="a.zip")
    as_before_the_copies()
    assert {line.split(":")[0] for line in unequal()} == {"input", "result", "profile"}
    assert "3 copies are not equal" in backfill("check")[1]

    report, complaint = backfill("run", "--batch", "1")

    assert complaint == ""
    assert {name: each["state"] for name, each in report.items()} == {
        each.name: "finished" for each in BACKFILLS
    }
    assert sum(each["written"] for each in report.values()) == 3
    assert backfill("check")[1] == ""
    assert NotificationPreference.objects.get().email_enabled is False
    assert StoredFile.objects.count() == 2
    again, _ = backfill("run")
    assert sum(each["written"] for each in again.values()) == 0


def test_run_mends_what_is_not_equal_or_belongs_to_nothing(job):
    StoredFile.objects.update(size=7, source="input:none")
    assert unequal() == {f"input:{job.pk} is missing", "input:none is extra"}
    backfill("run", "files-of-jobs")
    assert StoredFile.objects.get().size == job.input_file_size
    StoredFile.objects.update(size=7)
    assert unequal() == {f"input:{job.pk} is unequal"}
    backfill("run", "files-of-jobs")
    assert unequal() == set()


def test_status_tells_of_each_backfill_how_far_it_is(owner, panel):
    for _ in range(3):
        make_job(owner, panel, input_file="uploads/input/a.vcf.gz")
    as_before_the_copies()
    files = find_backfill("files-of-jobs")
    assert files is not None
    run_batch(files, size=2, now=NOW)
    status = backfill("status")[0]
    assert status["result-files"] == {"state": "never run", "rows": 0}
    under_way = status["files-of-jobs"]
    assert (under_way["state"], under_way["pass"]) == ("under way", 1)
    assert (under_way["looked"], under_way["rows"], under_way["written"]) == (2, 3, 2)
    backfill("run", "files-of-jobs")
    assert backfill("status", "files-of-jobs")[0]["files-of-jobs"]["written"] == 3


@pytest.mark.parametrize(
    "arguments", [("run", "no-such"), ("run", "--batch", "5001"), ("run", "--pause", "-1")]
)
def test_what_cannot_be_asked_for_is_refused(arguments):
    with pytest.raises(CommandError, match=r"no-such|1 to 5000|0 to 3600"):
        call_command("backfill", *arguments)


def test_list_names_every_backfill():
    assert set(backfill("list")[0]) == {each.name for each in BACKFILLS}


@pytest.mark.django_db(transaction=True)
def test_row_that_somebody_writes_is_left_to_the_next_pass(elsewhere):
    panel = make_panel(make_service())
    owner = make_user()
    busy, free = (make_job(owner, panel, input_file=f"uploads/input/{n}") for n in "ab")
    as_before_the_copies()
    is_locked, may_end = threading.Event(), threading.Event()

    def write():
        with transaction.atomic():
            ImputationJob.objects.filter(pk=busy.pk).update(input_file_size=5)
            is_locked.set()
            assert may_end.wait(30)

    written = elsewhere(write)
    try:
        assert is_locked.wait(30)
        files = find_backfill("files-of-jobs")
        assert files is not None
        first = run_batch(files, size=10, now=NOW)
        assert (first.ends_pass, first.was_vain) == (True, False)
        assert StoredFile.objects.get().job_id == free.pk
        vain = run_batch(files, size=10, now=NOW)
        assert (vain.was_vain, vain.progress.finished_at) == (True, None)
    finally:
        may_end.set()
    written()
    backfill("run", "files-of-jobs")
    assert StoredFile.objects.get(job_id=busy.pk).size == 5


@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_copies_are_equal_after_runs_among_writers(elsewhere):
    writers, rounds = 4, 40
    panel = make_panel(make_service())
    owner = make_user()
    jobs = [make_job(owner, panel, input_file=f"uploads/input/{n}") for n in range(40)]
    UserProfile.objects.create(user=owner)
    as_before_the_copies()
    start = threading.Barrier(writers + 1)

    def write(number):
        mine = jobs[number::writers]  # as with workers, each job has one
        start.wait(30)
        for turn in range(rounds):
            job = mine[turn % len(mine)]
            rows = ImputationJob.objects.filter(pk=job.pk)
            rows.update(input_file_size=turn, result_files=[{"name": f"{turn % 3}.zip"}])
            ResultFile.objects.create(job=job, filename=f"{turn % 3}.zip")
            if turn % 5 == 0:
                ResultFile.objects.filter(job=job).delete()
            if turn % 9 == 0:
                make_job(owner, panel, input_file=f"uploads/input/{number}-{turn}")
            UserProfile.objects.update(email_notifications=turn % 2 == 0)

    joins = [elsewhere(lambda number=number: write(number)) for number in range(writers)]
    start.wait(30)
    for _ in range(3):
        backfill("run", "--batch", "7")
    for join in joins:
        join()
    backfill("run")
    assert backfill("check") == (
        {each.name: {"differences": 0, "first": []} for each in BACKFILLS},
        "",
    )
    assert StoredFile.objects.filter(kind="input").count() == ImputationJob.objects.count()


@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_run_goes_on_after_it_was_killed():
    _kill_at(slice(1, None, 8))


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.django_db(transaction=True)
def test_run_goes_on_after_it_was_killed_at_any_statement():
    _kill_at(slice(None))


def _kill_at(points):
    panel = make_panel(make_service())
    owner = make_user()
    for n in range(4):
        make_job(owner, panel, input_file=f"uploads/input/{n}", result_files=[f"{n}.zip"])
    UserProfile.objects.create(user=owner)
    legacy = values_of("default")

    as_before_the_copies()
    seen: list[str] = []
    with connection.execute_wrapper(lambda *call: _noted(seen, *call)):
        backfill("run", "--batch", "2")
    assert len(seen) > 30

    for kill_at in range(len(seen))[points]:
        as_before_the_copies()
        BackfillProgress.objects.all().delete()
        assert dies_at(kill_at, lambda: backfill("run", "--batch", "2"))
        before = StoredFile.objects.count()
        backfill("run", "--batch", "2")
        assert StoredFile.objects.count() == 8 >= before
        assert NotificationPreference.objects.count() == 1
        assert backfill("check")[1] == "", f"Killed at statement {kill_at}: {seen[kill_at]}"
    assert values_of("default") == legacy


def _noted(seen, execute, sql, *rest):
    seen.append(sql[:70])
    return execute(sql, *rest)
