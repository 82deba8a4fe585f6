"""Plaintext of the legacy system: encrypted while that goes on, emptied when a person says so."""

import io
import json

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from federated_imputation.monolith.accounts.models import ServiceCredential, UserServiceAccess
from federated_imputation.monolith.accounts.operations import (
    empty_legacy_secrets,
    forget_service_secrets,
    store_credential,
)
from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.registry.models import ImputationService, ServiceConfiguration
from tests.factories import NOW, make_job, make_panel, make_service, make_user
from tests.kills import dies_at


def run(*arguments):
    """What the command tells as JSON, and what it complains of."""
    out = io.StringIO()
    complaint = ""
    try:
        call_command(*arguments, "--json", stdout=out)
    except CommandError as error:
        complaint = str(error)
    return json.loads(out.getvalue()), complaint


def check():
    report, _ = run("backfill", "check", "credentials")
    return report["backfills"][0]["first"]


def plaintext():
    columns = (
        (ServiceConfiguration, "api_key"),
        (ServiceConfiguration, "api_secret"),
        (ImputationService, "api_key"),
        (UserServiceAccess, "api_key"),
        (ImputationJob, "user_token"),
    )
    return sorted(
        value
        for model, column in columns
        for value in model.objects.values_list(column, flat=True)
        if value
    )


@pytest.fixture
def job():
    """A job with a token, its user's key and those of its service, as old processes write them."""
    service, other = make_service(api_key="of service"), make_service("other", api_key="shadowed")
    ServiceConfiguration.objects.create(service=other, api_key="configured", api_secret="secret")
    user = make_user()
    UserServiceAccess.objects.create(user=user, service=service, api_key="of user")
    return make_job(user, make_panel(service), user_token="of job")


@pytest.mark.django_db
def test_what_old_processes_write_is_encrypted_and_stays(job):
    before = plaintext()
    assert len(check()) == 5
    report, complaint = run("backfill", "run", "credentials", "--batch", "2")
    assert (report["backfills"][0]["written"], complaint) == (5, "")
    assert (check(), plaintext()) == ([], before)
    owners = [
        {"service_id": job.service_id, "user_id": job.user_id, "job_id": job.pk},
        {"service_id": job.service_id, "user_id": job.user_id},
        {"service_id": job.service_id},
        {"service_id": ImputationService.objects.get(name="other").pk},
    ]
    found = [reveal_credential(now=NOW, **owner) for owner in owners]
    assert found == ["of job", "of user", "of service", "configured"]


@pytest.mark.django_db
def test_secret_stored_since_is_not_overwritten(job):
    store_credential(
        service_id=job.service_id,
        user_id=job.user_id,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret="newer",
        now=NOW,
    )
    report, complaint = run("backfill", "run", "credentials")
    assert (report["backfills"][0]["state"], complaint) == ("finished", "")
    user_key = UserServiceAccess.objects.get()
    assert check() == [f"imputation_userserviceaccess {user_key.pk} api_key is unequal"]
    found = reveal_credential(now=NOW, service_id=job.service_id, user_id=job.user_id)
    assert found == "newer"


@pytest.mark.django_db
def test_nothing_is_emptied_before_somebody_says_yes(job):
    run("backfill", "run", "credentials")
    before = plaintext()
    report, complaint = run("secrets", "empty-legacy")
    assert (report["found"], report["emptied"]) == ({"equal": 5, "unequal": 1}, 0)
    assert "imputation_imputationservice" in complaint  # the shadowed one
    assert plaintext() == before


@pytest.mark.django_db
def test_only_what_decrypts_to_the_same_is_emptied(job, settings):
    run("backfill", "run", "credentials")
    UserServiceAccess.objects.update(api_key="written since")
    ServiceCredential.objects.filter(kind="api_secret").delete()
    report, complaint = run("secrets", "empty-legacy", "--yes")
    assert report["emptied"] == 3
    assert plaintext() == ["secret", "shadowed", "written since"]
    assert {line.split()[-1] for line in report["left"]} == {"missing", "unequal"}
    assert not any(secret in f"{report} {complaint}" for secret in ("shadowed", "written since"))
    report, _ = run("secrets", "empty-legacy", "--yes", "--also-unequal")
    assert plaintext() == ["secret"]
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert run("secrets", "empty-legacy", "--yes")[0]["emptied"] == 0
    assert plaintext() == ["secret"]


@pytest.mark.django_db
def test_secret_whose_key_is_gone_is_not_emptied(job, settings):
    run("backfill", "run", "credentials")
    before = plaintext()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    report, complaint = run("secrets", "empty-legacy", "--yes", "--also-unequal")
    assert (report["found"], report["emptied"]) == ({"undecryptable": 6}, 0)
    assert "must not be emptied" in complaint
    assert plaintext() == before


@pytest.mark.django_db
def test_forgotten_secret_is_not_found_again_in_plaintext(job):
    run("backfill", "run", "credentials")
    forget_service_secrets(service_id=job.service_id)
    run("backfill", "run", "credentials")
    owner = {"service_id": job.service_id, "user_id": job.user_id, "job_id": job.pk}
    assert reveal_credential(now=NOW, **owner) is None
    assert plaintext() == ["configured", "secret", "shadowed"]


@pytest.mark.django_db(transaction=True)
def test_emptying_that_is_killed_anywhere_loses_no_secret(job):
    run("backfill", "run", "credentials")
    ImputationService.objects.filter(name="other").update(api_key="")
    secrets = set(plaintext())
    at = 0
    while dies_at(at, lambda: empty_legacy_secrets(for_good=True)):
        at += 3
        assert check() == []
        assert set(plaintext()) <= secrets
    assert at > 10
    assert plaintext() == []
    assert ServiceCredential.objects.count() == len(secrets)
