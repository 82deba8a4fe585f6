"""What operators do to users on their admin pages."""

import pytest
from django.contrib.auth.models import Permission, User

from federated_imputation.monolith.accounts.models import AuditLog
from tests.factories import make_user
from tests.unit.monolith.accounts.people import client_of

pytestmark = pytest.mark.django_db
LIST = "/admin/auth/user/"


@pytest.fixture
def deputy():
    """Staff that manages users by role, and no superuser."""
    user = make_user("deputy", role="admin", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


def choose(user, action, *rows, **more):
    chosen = [row.pk for row in rows]
    return client_of(user).post(LIST, {"action": action, "_selected_action": chosen, **more})


def confirm(user, action, *rows):
    client = client_of(user)
    form = {"action": action, "_selected_action": [row.pk for row in rows], "confirmed": "yes"}
    return client.get(client.post(LIST, form).headers["Location"]).content.decode()


def is_active(user):
    return User.objects.get(pk=user.pk).is_active


def test_deactivation_says_before_whom_it_spares(deputy, root, ada):
    gone = make_user("gone", is_active=False)
    answer = choose(deputy, "deactivate", ada, root, deputy, gone)
    assert [each.row for each in answer.context["will"]] == [ada]
    told = {each.row.username: each.told for each in answer.context["refused"]}
    assert told == {
        "deputy": "Nobody may deactivate himself.",
        "gone": "The account is not active.",
        "root": "Only a superuser may change a superuser.",
    }
    assert is_active(ada)


def test_users_are_deactivated_and_activated_each_for_itself(deputy, root, ada, as_ada):
    told = confirm(deputy, "deactivate", ada, root, deputy)
    assert "ada: Deactivated; sessions and tokens have ended." in told
    assert "root: Only a superuser may change a superuser." in told
    assert "deputy: Nobody may deactivate himself." in told
    assert (is_active(ada), is_active(root), is_active(deputy)) == (False, True, True)
    assert as_ada.get("/api/auth/user/").status_code == 403
    assert "ada: Activated." in confirm(deputy, "activate", ada)
    assert is_active(ada)
    rows = AuditLog.objects.filter(action="update_user").values_list("user_id", "resource_id")
    assert list(rows) == [(deputy.pk, str(ada.pk))] * 2


def test_activation_spares_active_users_and_superusers(deputy, root):
    User.objects.filter(pk=root.pk).update(is_active=False)
    answer = choose(deputy, "activate", root, deputy)
    assert answer.context["will"] == []
    assert {each.row.username: each.told for each in answer.context["refused"]} == {
        "deputy": "The account is active already.",
        "root": "Only a superuser may change a superuser.",
    }
    confirm(deputy, "activate", root)
    assert not is_active(root)


def test_user_is_unlocked_and_a_superuser_by_superusers_alone(deputy, root, ada):
    assert choose(deputy, "unlock", root).context["will"] == []
    told = confirm(deputy, "unlock", ada, root)
    assert "ada: May log in; wrong passwords forgotten: 0." in told
    assert "root: Only a superuser may change a superuser." in told
    rows = AuditLog.objects.filter(action="unlock_user").values_list("user_id", "resource_id")
    assert list(rows) == [(deputy.pk, str(ada.pk))]


def test_staff_that_may_not_change_users_is_offered_no_action(ada, root):
    staff = make_user("staff", role="admin", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_user"))
    page = client_of(staff).get(f"{LIST}{ada.pk}/change/").content.decode()
    assert "Deactivate" not in page
    choose(staff, "deactivate", ada, confirmed="yes")
    assert is_active(ada)
