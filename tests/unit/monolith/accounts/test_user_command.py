"""`manage.py user create|deactivate|unlock`."""

import json
import uuid
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from apps.shared.limits.passwords import count_password_attempt
from federated_imputation.monolith.accounts.models import AuditLog, UserProfile, UserRole
from tests.factories import PASSWORD, make_user
from tests.unit.monolith.accounts.login import log_in, opens
from tests.unit.monolith.accounts.people import client_of

pytestmark = pytest.mark.django_db
GIVEN = "tranquil otter paints 7 maps"


@pytest.fixture
def roles():
    for name in UserRole.Name:
        UserRole.objects.get_or_create(name=name)


def command(*arguments, stdin=""):
    out = StringIO()
    call_command("user", *arguments, stdout=out, stdin=StringIO(stdin))
    return out.getvalue()


def login(username, password, address="192.0.2.7"):
    body = {"username": username, "password": password}
    return Client().post("/api/auth/login/", body, REMOTE_ADDR=address).status_code


def test_user_is_made_who_can_log_in_with_the_password_that_is_shown(roles):
    words = ("create", "kofi", "--email", "kofi@Example.ORG", "--role", "researcher", "--json")

    made = json.loads(command(*words))

    user = User.objects.get(username="kofi")
    assert (made["id"], made["email"], made["role"]) == (user.pk, "kofi@example.org", "researcher")
    assert len(made["password"]) >= 20
    assert login("kofi", made["password"]) == 200
    assert UserProfile.objects.get(user=user).role_id == UserRole.objects.get(name="researcher").pk
    assert (user.is_staff, user.is_superuser) == (False, False)
    row = AuditLog.objects.get(action="create_user")
    assert (row.user_id, row.ip_address, row.user_agent) == (None, None, "manage.py")


def test_password_from_the_standard_input_is_not_printed(roles):
    words = ("create", "kofi", "--role", "admin", "--password-stdin")
    printed = command(*words, stdin=f"{GIVEN}\n")
    assert GIVEN not in printed
    assert "assword" not in printed
    assert login("kofi", GIVEN) == 200


def test_password_is_printed_for_people_too(roles):
    printed = command("create", "kofi", "--role", "viewer").strip()
    assert login("kofi", printed.rpartition(" ")[2]) == 200


@pytest.mark.parametrize(
    ("words", "stdin", "told"),
    [
        (["a b"], GIVEN, "username: Enter a valid username"),
        (["x" * 151], GIVEN, "username: Ensure this field has no more"),
        (["kofi", "--email", "nowhere"], GIVEN, "email: Enter a valid email address."),
        (["ada"], GIVEN, "username: A user with that username already exists."),
        (["kofi"], "12345", "password: This password is too"),
        (["kofi"], "", "no password"),
        (["kofi"], "\n", "no password"),
    ],
)
def test_user_that_does_not_fit_is_refused_by_field(roles, words, stdin, told):
    make_user("ada")
    with pytest.raises(CommandError, match=told):
        command("create", *words, "--role", "viewer", "--password-stdin", stdin=stdin)
    assert list(User.objects.values_list("username", flat=True)) == ["ada"]
    assert not AuditLog.objects.exists()


def test_role_must_be_one_and_be_there():
    with pytest.raises(CommandError, match="invalid choice: 'emperor'"):
        command("create", "kofi", "--role", "emperor")
    with pytest.raises(CommandError, match="There is no role viewer in this database"):
        command("create", "kofi", "--role", "viewer")


def test_deactivation_ends_sessions_and_tokens(ada, boss):
    session = client_of(ada)
    tokens = log_in()
    assert opens(tokens["access_token"])

    told = json.loads(command("deactivate", "ada", "--json"))

    assert told == {"id": ada.pk, "username": "ada", "changed": True}
    assert session.get("/api/auth/user/").status_code == 403
    assert not opens(tokens["access_token"])
    assert login("ada", PASSWORD) == 401
    row = AuditLog.objects.get(action="update_user")
    assert (row.user_id, row.details["values"]) == (None, {"is_active": [True, False]})
    assert "was not active" in command("deactivate", "ada")
    assert AuditLog.objects.filter(action="update_user").count() == 1


def test_last_administrator_is_not_deactivated(boss):
    with pytest.raises(CommandError, match="Nobody would be left who may manage users"):
        command("deactivate", "boss")
    boss.refresh_from_db()
    assert boss.is_active
    make_user("root", is_superuser=True)
    assert "Deactivated boss" in command("deactivate", "boss")


@pytest.mark.parametrize("which", ["deactivate", "unlock"])
@pytest.mark.parametrize("name", ["nobody", "", "ADA"])
def test_unknown_name_is_told(ada, which, name):
    with pytest.raises(CommandError, match=f"There is no user {name}"):
        command(which, name)
    assert not AuditLog.objects.exists()


def test_unlocked_user_logs_in_and_another_stays_locked(ada, settings):
    settings.RATE_LIMITS = settings.AXES_ENABLED = True
    settings.PASSWORD_REFUSAL_SECONDS = 0
    settings.DEPLOYMENT = uuid.uuid4().hex  # no window of another test
    make_user("bob")
    homes = {"ada": "192.0.2.7", "bob": "198.51.100.7"}
    for name, home in homes.items():
        assert [login(name, "wrong", home) for _ in range(5)] == [401] * 5
        for _ in range(5):  # the window of the account is full, too
            count_password_attempt(account=name, address=None)
        assert login(name, PASSWORD, address="203.0.113.9") == 429

    told = json.loads(command("unlock", "ada", "--json"))

    assert told == {"id": ada.pk, "username": "ada", "forgotten": 1}
    assert login("ada", PASSWORD, homes["ada"]) == 200
    assert login("bob", PASSWORD, homes["bob"]) == 429
    row = AuditLog.objects.get(action="unlock_user")
    assert (row.user_id, row.resource_id, row.user_agent) == (None, str(ada.pk), "manage.py")


def test_lock_that_cannot_be_forgotten_is_told_and_kept(ada, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.DEPLOYMENT = uuid.uuid4().hex
    with pytest.raises(CommandError, match="Redis does not answer"):
        command("unlock", "ada")
    assert not AuditLog.objects.exists()
