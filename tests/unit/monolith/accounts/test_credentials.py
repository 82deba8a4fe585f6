"""Secrets are kept encrypted, one a place, and shown only to the call they are for."""

import uuid
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, connection

from federated_imputation.monolith.accounts.models import (
    ServiceCredential,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.operations import (
    forget_credential,
    forget_job_secrets,
    forget_service_secrets,
    store_credential,
)
from federated_imputation.monolith.accounts.operations.credentials import forget_user_token
from federated_imputation.monolith.accounts.queries import (
    find_rights,
    reveal_credential,
    reveal_newer_token,
    reveal_result_password,
    reveal_tokens,
)
from federated_imputation.monolith.accounts.rights import Capability
from federated_imputation.monolith.accounts.secrets import Undecryptable, decrypt, encrypt
from tests.factories import NOW, make_service, make_user

pytestmark = pytest.mark.django_db
Kind = ServiceCredential.Kind
JOB, OTHER_JOB = uuid.UUID(int=7), uuid.UUID(int=8)
SECOND = timedelta(seconds=1)


@pytest.fixture
def service():
    return make_service()


@pytest.fixture
def user():
    return make_user()


@pytest.fixture
def store(service):
    def run(secret, *, kind=Kind.API_TOKEN, now=NOW, **owner):
        owner = {"service_id": service.pk, **owner}
        return store_credential(kind=kind, secret=secret, now=now, **owner)

    return run


def test_nearest_token_is_used(store, service, user):
    def reveal(**owner):
        return reveal_credential(service_id=service.pk, now=NOW, **owner)

    assert reveal(user_id=user.pk, job_id=JOB) is None
    store("service's")
    assert reveal(user_id=user.pk, job_id=JOB) == "service's"
    store("user's", user_id=user.pk)
    assert reveal(user_id=user.pk, job_id=JOB) == "user's"
    store("job's", kind=Kind.JOB_TOKEN, user_id=user.pk, job_id=JOB)
    assert reveal(user_id=user.pk, job_id=JOB) == "job's"
    assert reveal(user_id=user.pk, job_id=OTHER_JOB) == "user's"
    assert reveal(user_id=make_user("grace").pk) == "service's"
    assert reveal() == "service's"
    other = make_service("EUR node")
    assert reveal_credential(service_id=other.pk, now=NOW, user_id=user.pk, job_id=JOB) is None


def test_other_kinds_are_never_taken_for_a_token(store, service, user):
    store("secret", kind=Kind.API_SECRET)
    store("password", kind=Kind.RESULT_PASSWORD, user_id=user.pk, job_id=JOB)
    assert reveal_credential(service_id=service.pk, now=NOW, user_id=user.pk, job_id=JOB) is None


def test_expired_token_is_passed_over(store, service, user):
    store("service's")
    store("user's", user_id=user.pk, expires_at=NOW)
    at = {"service_id": service.pk, "user_id": user.pk}
    assert reveal_credential(**at, now=NOW - SECOND) == "user's"
    assert reveal_credential(**at, now=NOW) == "service's"


def test_tokens_of_many_jobs_are_what_each_is_given_alone(store, service, user):
    other, grace = make_service("EUR node"), make_user("grace")
    store("service's")
    store("user's", user_id=user.pk)
    store("job's", kind=Kind.JOB_TOKEN, user_id=user.pk, job_id=JOB)
    store("over", user_id=grace.pk, expires_at=NOW)
    store("over", service_id=other.pk, expires_at=NOW)
    jobs = [
        (JOB, service.pk, user.pk),
        (OTHER_JOB, service.pk, user.pk),
        (uuid.UUID(int=9), service.pk, grace.pk),
        (uuid.UUID(int=10), other.pk, user.pk),
    ]
    told = reveal_tokens(jobs=jobs, now=NOW)
    assert list(told.values()) == ["job's", "user's", "service's", None]
    assert told == {
        job: reveal_credential(service_id=at, user_id=of, job_id=job, now=NOW)
        for job, at, of in jobs
    }


def test_newer_token_is_the_users_own_for_this_service_while_it_lasts(store, service, user):
    def reveal():
        return reveal_newer_token(service_id=service.pk, user_id=user.pk, job_id=JOB, now=NOW)

    of_a_job = {"kind": Kind.JOB_TOKEN, "user_id": user.pk}
    store("another job's", **of_a_job, job_id=OTHER_JOB, now=NOW + 2 * SECOND)
    store("service's", now=NOW + SECOND)
    store("another user's", user_id=make_user("grace").pk, now=NOW + SECOND)
    elsewhere = make_service("EUR node").pk
    store("elsewhere", service_id=elsewhere, user_id=user.pk, now=NOW + SECOND)
    store("job's", **of_a_job, job_id=JOB)
    assert reveal() is None
    store("as old", user_id=user.pk)
    assert reveal() is None
    store("newer", user_id=user.pk, now=NOW + SECOND)
    assert reveal() == "newer"
    store("newer", user_id=user.pk, now=NOW + SECOND, expires_at=NOW)
    assert reveal() is None


def test_storing_again_replaces_the_earlier_secret(store, service, user):
    owners = [{}, {"user_id": user.pk}, {"user_id": user.pk, "job_id": JOB}]
    kinds = [Kind.API_TOKEN, Kind.API_TOKEN, Kind.JOB_TOKEN]
    for owner, kind in zip(owners, kinds, strict=True):
        first = store("first", kind=kind, **owner)
        assert store("second", kind=kind, **owner).pk == first.pk
        assert reveal_credential(service_id=service.pk, now=NOW, **owner) == "second"


def test_result_password_is_the_jobs(store, user):
    assert reveal_result_password(job_id=JOB) is None
    store("pw", kind=Kind.RESULT_PASSWORD, user_id=user.pk, job_id=JOB)
    assert reveal_result_password(job_id=JOB) == "pw"
    assert reveal_result_password(job_id=OTHER_JOB) is None


def test_secrets_of_a_job_are_forgotten_together(store, user):
    store("user's", user_id=user.pk)
    store("t", kind=Kind.JOB_TOKEN, user_id=user.pk, job_id=JOB)
    store("p", kind=Kind.RESULT_PASSWORD, user_id=user.pk, job_id=JOB)
    assert forget_job_secrets(job_id=JOB) == 2
    assert ServiceCredential.objects.get().user_id == user.pk


def test_secrets_of_a_service_are_forgotten_together_and_of_no_other(store, service, user):
    other = make_service("EUR node")
    for where in (service, other):
        UserServiceAccess.objects.create(user=user, service=where, api_key="of earlier days")
        store("service's", service_id=where.pk)
        store("user's", service_id=where.pk, user_id=user.pk)
    assert forget_service_secrets(service_id=service.pk) == 2
    assert {found.service_id for found in ServiceCredential.objects.all()} == {other.pk}
    keys = UserServiceAccess.objects.order_by("service_id").values_list("service_id", "api_key")
    assert list(keys) == [(service.pk, ""), (other.pk, "of earlier days")]


def test_a_services_own_secret_is_forgotten_and_no_other_services(store, service):
    elsewhere = make_service("Elsewhere")
    for owner in (service, elsewhere):
        store("its own", service_id=owner.pk)

    assert forget_credential(service_id=service.pk, kind=Kind.API_TOKEN)

    (left,) = ServiceCredential.objects.all()
    assert left.service_id == elsewhere.pk
    assert not forget_credential(service_id=service.pk, kind=Kind.API_TOKEN)


def test_a_user_forgets_the_own_token_for_one_service(store, service, user):
    elsewhere, other = make_service("Elsewhere"), make_user("grace")
    for owner in (service, elsewhere):
        for person in (user, other):
            store("a token", service_id=owner.pk, user_id=person.pk)

    assert forget_user_token(service_id=service.pk, user_id=user.pk)

    left = set(ServiceCredential.objects.values_list("service_id", "user_id"))
    assert left == {
        (service.pk, other.pk),
        (elsewhere.pk, user.pk),
        (elsewhere.pk, other.pk),
    }


def test_database_holds_no_plaintext_and_texts_about_a_row_hold_none(store, user):
    row = store("pl41nt3xt", user_id=user.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(c)::text FROM imputation_servicecredential c")
        stored = cursor.fetchone()[0]
    for text in (stored, str(row), repr(row)):
        assert "pl41nt3xt" not in text


def test_any_text_survives_encryption():
    for secret in ("x", "ключ 🔑", " spaces ", "a" * 5000):
        assert decrypt(encrypt(secret)) == secret
    assert encrypt("x") != encrypt("x")


def test_older_key_still_decrypts_and_the_first_encrypts(settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    written_earlier = encrypt("secret")
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert decrypt(written_earlier) == "secret"
    written_now = encrypt("secret")
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert decrypt(written_now) == "secret"
    with pytest.raises(Undecryptable) as error:
        decrypt(written_earlier)
    assert written_earlier not in str(error.value)


def test_empty_secret_is_refused(store):
    with pytest.raises(ValueError, match="empty"):
        store("")


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        (Kind.API_TOKEN, {"job_id": JOB, "user_id": True}),
        (Kind.JOB_TOKEN, {"user_id": True}),
        (Kind.JOB_TOKEN, {"job_id": JOB}),
        (Kind.RESULT_PASSWORD, {}),
        ("something", {}),
    ],
)
def test_database_refuses_a_kind_that_does_not_fit_its_owner(store, user, kind, owner):
    if "user_id" in owner:
        owner = {**owner, "user_id": user.pk}
    with pytest.raises(IntegrityError, match="servicecredential_kind_fits_owner"):
        store("secret", kind=kind, **owner)


def test_database_refuses_a_second_secret_of_one_owner(store, service):
    store("first")
    with pytest.raises(IntegrityError, match="servicecredential_one_per_owner"):
        ServiceCredential.objects.create(
            service=service, kind=Kind.API_TOKEN, encrypted="x", created_at=NOW, updated_at=NOW
        )


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("admin", True),
        ("service_admin", True),
        ("researcher", False),
        ("service_user", False),
        ("viewer", False),
        (None, False),
    ],
)
def test_administrators_see_all_jobs(role, sees):
    assert _sees_all_jobs(make_user(role=role)) is sees


def test_superusers_see_all_jobs_and_switched_off_roles_and_users_do_not(client):
    assert _sees_all_jobs(make_user("root", is_superuser=True))
    assert not _sees_all_jobs(make_user("gone", is_superuser=True, is_active=False))
    user = make_user(role="admin")
    UserRole.objects.update(is_active=False)
    assert not _sees_all_jobs(user)


def _sees_all_jobs(user):
    return find_rights(user).may(Capability.VIEW_ALL_JOBS)
