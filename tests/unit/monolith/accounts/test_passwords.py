"""Every stored password opens as before and is never rewritten; or, with the upgrade on, once."""

import ast
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.test import Client

from apps.contracts.passwords import hasher_paths
from apps.shared.identity.passwords import check_password
from federated_imputation.monolith.accounts.backend import PasswordBackend
from tests.cheap_hashers import CheapArgon2, cheap_hashers
from tests.stored_passwords import OPENED_BY_NOTHING, STORED, named

pytestmark = pytest.mark.django_db
MD5 = named("md5")
ROOT = Path(__file__).parents[4]
NEW_PASSWORD = "staple battery horse correct"


@pytest.fixture(autouse=True)
def bridge(settings):
    settings.PASSWORD_HASHERS = cheap_hashers(upgrade=False)


@pytest.fixture
def upgrading(settings):
    settings.PASSWORD_UPGRADE = True
    settings.PASSWORD_HASHERS = cheap_hashers(upgrade=True)


@pytest.fixture
def make_ada():
    def make(stored, **fields):
        return User.objects.create(username="ada", password=stored, is_staff=True, **fields)

    return make


@pytest.fixture
def ada(make_ada):
    return make_ada(MD5.stored)


def log_in(client, password, username="ada"):
    given = {"username": username, "password": password}
    return client.post("/api/auth/login/", given).status_code


def log_in_to_admin(client, password):
    given = {"username": "ada", "password": password}
    answer = client.post("/admin/login/", given)
    return answer.status_code == 302 and client.get("/admin/").status_code == 200


def is_logged_in(client):
    return client.get("/api/auth/user/").status_code == 200


def stored_now():
    return User.objects.get(username="ada").password


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_login_opens_every_form_and_leaves_it(client, make_ada, stored):
    make_ada(stored.stored)
    assert log_in(Client(), stored.password) == 200
    assert log_in(Client(), "another") == 401
    assert log_in_to_admin(Client(), stored.password)
    assert stored_now() == stored.stored


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_login_with_upgrade_writes_argon2_once_and_opens_again(client, upgrading, make_ada, stored):
    make_ada(stored.stored)
    assert log_in(client, stored.password) == 200
    assert is_logged_in(client)
    written = stored_now()
    assert written.startswith("argon2$argon2id$v=19$m=64,t=1,p=1$")
    assert log_in_to_admin(Client(), stored.password)
    assert log_in(Client(), "another") == 401
    assert stored_now() == written
    assert is_logged_in(client)


def test_shipped_hashers_write_what_the_legacy_system_reads_until_the_upgrade(settings):
    settings.PASSWORD_HASHERS = hasher_paths(upgrade=False)
    assert make_password(NEW_PASSWORD).startswith("pbkdf2_sha256$600000$")
    settings.PASSWORD_HASHERS = hasher_paths(upgrade=True)
    assert make_password(NEW_PASSWORD).startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")


def test_hash_that_nothing_fits_refuses_the_login_and_is_left(client, ada):
    answers = {}
    for what, hashed in OPENED_BY_NOTHING.items():
        User.objects.update(password=hashed)
        answers[what] = log_in(client, "correct horse"), stored_now()
    assert answers == {what: (401, hashed) for what, hashed in OPENED_BY_NOTHING.items()}


@pytest.mark.parametrize("what", ["pbkdf2, no number", "argon2, all memory"])
def test_admin_page_of_a_user_opens_with_a_damaged_hash(admin_client, make_ada, what):
    ada = make_ada(OPENED_BY_NOTHING[what])
    assert b"(damaged)" in admin_client.get(f"/admin/auth/user/{ada.pk}/change/").content


def test_deactivated_user_is_refused_and_keeps_the_hash(client, upgrading, make_ada):
    make_ada(MD5.stored, is_active=False)
    assert log_in(client, MD5.password) == 401
    assert not log_in_to_admin(client, MD5.password)
    assert stored_now() == MD5.stored


@pytest.mark.parametrize(
    ("username", "hashed", "active"),
    [
        ("nobody", MD5.stored, True),
        ("ada", MD5.stored, False),
        ("ada", MD5.stored, True),
        ("ada", "!", True),
        ("ada", "damaged", True),
    ],
    ids=["unknown", "deactivated", "wrong password", "unusable", "damaged"],
)
def test_every_refusal_takes_the_same_least_time(
    client, settings, make_ada, username, hashed, active
):
    settings.PASSWORD_REFUSAL_SECONDS = 0.1
    make_ada(hashed, is_active=active)
    password = "another" if active else MD5.password
    started = time.monotonic()
    assert log_in(client, password, username) == 401
    assert time.monotonic() - started >= 0.1


def test_asynchronous_login_opens_and_leaves_the_hash(ada):
    check = async_to_sync(PasswordBackend().aauthenticate)
    assert check(None, username="ada", password=MD5.password) == ada
    with pytest.raises(PermissionDenied):
        check(None, username="ada", password="another")
    assert stored_now() == MD5.stored


def test_login_without_a_name_or_a_password_is_refused(ada):
    nothing: list[dict[str, Any]] = [{"username": "ada"}, {"password": MD5.password}, {}]
    assert [authenticate(**given) for given in nothing] == [None, None, None]


def test_no_backend_behind_ours_is_asked_about_a_password(ada):
    # With one more word ours must still answer, else Django's would, and rewrite the hash.
    assert authenticate(username="ada", password=MD5.password, code="123456") == ada
    assert stored_now() == MD5.stored


@pytest.mark.parametrize("enter", [log_in, log_in_to_admin])
def test_session_names_the_backend_that_the_legacy_process_has_too(client, ada, enter):
    enter(client, MD5.password)
    named = client.session["_auth_user_backend"]
    assert named == "django.contrib.auth.backends.ModelBackend"


def test_session_goes_on_until_its_user_is_deactivated(client, ada):
    client.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    assert is_logged_in(client)
    User.objects.update(is_active=False)
    assert not is_logged_in(client)


@pytest.mark.parametrize("new", [NEW_PASSWORD, "short", "password1234"])
def test_admin_page_for_the_own_password_writes_nothing_but_a_good_new_one(client, ada, new):
    assert log_in_to_admin(client, MD5.password)
    page = "/admin/password_change/"
    assert client.get(page).status_code == 200
    fields = {"old_password": MD5.password, "new_password1": new, "new_password2": new}
    assert client.post(page, {**fields, "old_password": "another"}).status_code == 200
    assert stored_now() == MD5.stored
    assert client.post(page, {**fields, "new_password2": "other"}).status_code == 200
    assert stored_now() == MD5.stored
    good = new == NEW_PASSWORD
    assert client.post(page, fields).status_code == (302 if good else 200)
    assert (stored_now() != MD5.stored) == good
    assert log_in(client, new if good else MD5.password) == 200


def test_admin_page_for_the_own_password_limits_guesses(client, ada, settings):
    settings.RATE_LIMITS = settings.AXES_ENABLED = True
    assert log_in_to_admin(client, MD5.password)
    fields = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    guess = {**fields, "old_password": "another"}
    answers = [client.post("/admin/password_change/", guess).status_code for _ in range(10)]
    assert answers[0] == 200
    assert answers[-1] == 429
    assert stored_now() == MD5.stored


@pytest.mark.usefixtures("upgrading")
def test_session_goes_on_when_the_hash_is_upgraded_beside_it(client, ada):
    client.force_login(ada)
    fields = {"old_password": MD5.password, "new_password1": "short", "new_password2": "short"}
    assert client.post("/admin/password_change/", fields).status_code == 200
    assert stored_now().startswith("argon2$")
    assert is_logged_in(client)


def test_admin_page_for_the_own_password_is_for_staff_alone(client):
    assert client.get("/admin/password_change/").status_code == 302
    assert client.post("/admin/password_change/").headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/admin/auth/user/add/", {"username": "grace", "usable_password": "true"}),
        ("/admin/auth/user/{}/password/", {"usable_password": "true"}),
    ],
)
def test_admin_sets_no_weak_password_for_others(admin_client, ada, path, fields):
    weak = {**fields, "password1": "x", "password2": "x"}
    answer = admin_client.post(path.format(ada.pk), weak)
    assert b"too short" in answer.content
    assert stored_now() == MD5.stored
    assert not User.objects.filter(username="grace").exists()


class Interrupted(CheapArgon2):
    """Writes argon2, and lets something happen between the check of a hash and its rewriting."""

    happens: ClassVar[Any] = None

    def encode(self, password, salt):
        happens, Interrupted.happens = Interrupted.happens, None
        if happens is not None:
            happens()
        return super().encode(password, salt)


@pytest.fixture
def meanwhile(settings, upgrading):
    settings.PASSWORD_HASHERS = [f"{__name__}.Interrupted", *cheap_hashers(upgrade=True)[1:]]

    @contextmanager
    def meanwhile(happens):
        Interrupted.happens = staticmethod(happens)
        yield
        assert Interrupted.happens is None

    return meanwhile


def test_upgrade_never_overwrites_a_password_that_was_changed_meanwhile(client, ada, meanwhile):
    changed = named("scrypt").stored.replace("somesalt", "othersalt")
    with meanwhile(lambda: User.objects.update(password=changed)):
        assert log_in(client, MD5.password) == 401
    assert stored_now() == changed
    assert not is_logged_in(client)


def test_upgrade_lets_nobody_in_who_was_deactivated_meanwhile(client, ada, meanwhile):
    deactivated = {"password": named("scrypt").stored, "is_active": False}
    with meanwhile(lambda: User.objects.update(**deactivated)):
        assert log_in(client, MD5.password) == 401
    assert stored_now() == named("scrypt").stored


def test_upgrade_refuses_a_user_who_was_deleted_meanwhile(client, ada, meanwhile):
    with meanwhile(lambda: User.objects.filter(username="ada").delete()):
        assert log_in(client, MD5.password) == 401
    assert not User.objects.filter(username="ada").exists()


def test_two_logins_that_upgrade_at_once_both_go_on_with_one_hash(client, ada, meanwhile):
    other = Client()
    written = []

    def log_in_elsewhere():
        assert log_in(other, MD5.password) == 200
        written.append(stored_now())

    with meanwhile(log_in_elsewhere):
        assert log_in(client, MD5.password) == 200
    assert written == [stored_now()]
    assert is_logged_in(client)
    assert is_logged_in(other)


def test_no_code_checks_a_password_beside_the_bridge():
    # Django's functions rewrite what they find in another form than that of new hashes.
    rewriting = {"acheck_password", "check_password", "verify_password"}
    found = []
    for path in [*(ROOT / "apps").rglob("*.py"), *(ROOT / "federated_imputation").rglob("*.py")]:
        if path.is_relative_to(ROOT / "apps/node"):  # it has users and hashes of its own
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found += [f"{path}:{node.lineno}"] * (node.attr in rewriting)
            elif isinstance(node, ast.ImportFrom) and node.module == "django.contrib.auth.hashers":
                found += [f"{path}:{name.lineno}" for name in node.names if name.name in rewriting]
    assert found == []


@pytest.mark.django_db(transaction=True)
def test_a_refusal_waits_without_a_connection_to_the_database(ada):
    held = []

    def wait(_seconds):
        held.append(connection.connection)

    assert User.objects.exists()
    assert not check_password("wrong", ada.password, refusal_seconds=1.0, sleep=wait)
    assert held == [None]
    with transaction.atomic():
        assert User.objects.exists()
        check_password("wrong", ada.password, refusal_seconds=1.0, sleep=wait)
    assert held[1] is not None
