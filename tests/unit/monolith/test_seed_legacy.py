"""`manage.py seed legacy`, as the operator runs it."""

import stat
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command

from federated_imputation.monolith.accounts.models import UserProfile, UserRole
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from tests.factories import make_service, make_user

pytestmark = pytest.mark.django_db
SEEDED = (ImputationService, ReferencePanel, UserRole, UserProfile, User)


@pytest.fixture
def password_file(tmp_path):
    return tmp_path / "admin-password"


@pytest.fixture
def seed(password_file):
    def run():
        said = StringIO()
        call_command("seed", "legacy", "--admin-password-file", str(password_file), stdout=said)
        return said.getvalue()

    return run


def rows():
    permissions = UserRole.permissions.through.objects.order_by("id").values_list()
    return [*(list(model.objects.order_by("pk").values()) for model in SEEDED), list(permissions)]


def test_seed_loads_the_legacy_rows_with_their_ids(seed):
    seed()
    assert list(ImputationService.objects.order_by("id").values_list("id", "name", "api_type")) == [
        (1, "H3Africa Imputation Service", "michigan"),
        (2, "Michigan Imputation Server", "michigan"),
        (3, "eLwazi MALI Node - Imputation Service", "ga4gh"),
        (4, "eLwazi ILIFU Node - Imputation Service", "ga4gh"),
        (5, "eLwazi Omics Platform", "dnastack"),
    ]
    assert [panel.pk for panel in ReferencePanel.objects.order_by("id")] == list(range(1, 15))
    assert ReferencePanel.objects.get(pk=11).panel_id == "nfl-imputation-v1"
    assert ReferencePanel.objects.get(pk=11).service_id == 4
    assert list(User.objects.order_by("id").values_list("id", "username")) == [
        (1, "test_user"),
        (2, "admin"),
    ]


def test_seed_gives_each_role_its_permissions(seed):
    seed()
    counts = {role.name: role.permissions.count() for role in UserRole.objects.all()}
    assert counts == {
        "admin": 76,
        "service_admin": 6,
        "researcher": 4,
        "service_user": 3,
        "viewer": 1,
    }
    administered = Permission.objects.filter(userrole__name="admin")
    assert administered.values("content_type").distinct().count() == 19
    assert list(UserRole.objects.order_by("id").values_list("name", flat=True)) == list(counts)
    assert set(UserProfile.objects.values_list("user__username", "role__name")) == {
        ("test_user", "researcher"),
        ("admin", "admin"),
    }


def test_seed_writes_a_random_password_to_a_private_file_and_never_prints_it(seed, password_file):
    said = seed()
    password = password_file.read_text().strip()
    assert len(password) >= 20
    assert password not in said
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert User.objects.get(username="admin").check_password(password)
    assert not User.objects.get(username="test_user").has_usable_password()


def test_seed_takes_the_password_that_is_in_the_file(seed, password_file):
    password_file.write_text("given by the platform\n")
    seed()
    assert User.objects.get(username="admin").check_password("given by the platform")


def test_seeded_administrator_can_log_in(seed, password_file, client):
    seed()
    given = {"username": "admin", "password": password_file.read_text().strip()}
    assert client.post("/api/auth/login/", given).status_code == 200
    assert client.get("/api/auth/user/").json()["user"]["profile"]["role"] == "admin"


def test_next_rows_get_the_next_ids(seed):
    seed()
    service = make_service()
    assert service.pk == 6
    assert ReferencePanel.objects.create(service=service, name="x", panel_id="x").pk == 15
    assert make_user().pk == 3
    assert UserRole.objects.create(name="guest").pk == 6
    assert UserProfile.objects.create(user=make_user("grace")).pk == 3


def test_seed_changes_nothing_when_repeated(seed, password_file):
    seed()
    ImputationService.objects.filter(pk=1).update(api_url="https://impute.afrigen-d.org")
    ReferencePanel.objects.filter(pk__lte=5).delete()
    User.objects.get(username="admin").set_password("mine")
    make_user()
    before, password = rows(), password_file.read_text()
    assert "nothing was changed" in seed()
    assert rows() == before
    assert password_file.read_text() == password


@pytest.mark.parametrize(
    "fill", [make_user, make_service, lambda: UserRole.objects.create(name="viewer")]
)
def test_seed_refuses_a_database_with_other_data(seed, password_file, fill):
    fill()
    before = rows()
    with pytest.raises(CommandError, match="other data"):
        seed()
    assert rows() == before
    assert not password_file.exists()


def test_seed_writes_nothing_when_the_password_cannot_be_kept(seed, password_file):
    password_file.write_text("")
    with pytest.raises(CommandError, match="empty"):
        seed()
    assert not User.objects.exists()
