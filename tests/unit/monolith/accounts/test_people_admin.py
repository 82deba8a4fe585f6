"""The admin pages of users, roles and profiles lift nobody above the role."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    TokenFamily,
    UserProfile,
    UserRole,
)
from tests.factories import PASSWORD, make_service, make_user
from tests.unit.monolith.accounts.login import log_in, opens
from tests.unit.monolith.accounts.people import client_of

pytestmark = pytest.mark.django_db
PEOPLE = ("auth_user", "auth_group", "imputation_userrole", "imputation_userprofile")


def page(model, action, *args):
    return reverse(f"admin:{model}_{action}", args=args)


def with_all_permissions(username, role):
    user = make_user(username, role=role, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


def user_form(user, **changes):
    form = {
        "username": user.username,
        "email": user.email,
        "first_name": "",
        "last_name": "",
        "date_joined_0": "2026-03-01",
        "date_joined_1": "12:00:00",
        "is_active": "on",
    }
    return {**form, **changes}


@pytest.fixture
def deputy():
    """Staff that manages users by role, with every permission of Django, and no superuser."""
    return with_all_permissions("deputy", "admin")


@pytest.mark.parametrize(
    "model", [*PEOPLE, "imputation_servicepermission", "imputation_imputationservice"]
)
def test_permissions_of_django_open_nothing_that_the_role_does_not(ada, model):
    client = client_of(with_all_permissions("carol", "researcher"))
    assert client.get(page(model, "changelist")).status_code == 403
    assert client.get(page(model, "add")).status_code == 403


def test_staff_that_manages_users_changes_them_and_it_is_audited(deputy, ada):
    answer = client_of(deputy).post(
        page("auth_user", "change", ada.pk), user_form(ada, first_name="Ada")
    )
    assert answer.status_code == 302
    assert User.objects.get(pk=ada.pk).first_name == "Ada"
    row = AuditLog.objects.get()
    assert (row.action, row.user_id, row.resource_type, row.resource_id, row.ip_address) == (
        "admin_change",
        deputy.pk,
        "user",
        str(ada.pk),
        "127.0.0.1",
    )


def test_staff_gives_no_flag_and_no_permission(deputy, ada):
    group = Group.objects.create(name="All")
    everything = {"is_staff": "on", "is_superuser": "on", "groups": [group.pk]}
    for user in (ada, deputy):
        client_of(deputy).post(page("auth_user", "change", user.pk), user_form(user, **everything))
    ada.refresh_from_db()
    deputy.refresh_from_db()
    assert (ada.is_staff, ada.is_superuser, ada.groups.count()) == (False, False, 0)
    assert (deputy.is_superuser, deputy.groups.count()) == (False, 0)
    assert client_of(deputy).get(page("auth_group", "change", group.pk)).status_code == 200
    for target in (page("auth_group", "change", group.pk), page("auth_group", "add")):
        assert client_of(deputy).post(target, {"name": "Mine"}).status_code == 403
    assert client_of(deputy).post(page("auth_group", "delete", group.pk)).status_code == 403


def test_superuser_is_out_of_reach_of_staff(deputy, root):
    profile = UserProfile.objects.create(user=root)
    client = client_of(deputy)
    password = {"password1": "seven green herons", "password2": "seven green herons"}
    for target in (
        page("auth_user", "change", root.pk),
        reverse("admin:auth_user_password_change", args=[root.pk]),
        page("imputation_userprofile", "change", profile.pk),
        page("imputation_userprofile", "delete", profile.pk),
    ):
        assert client.post(target, user_form(root, **password)).status_code == 403
    assert User.objects.get(pk=root.pk).password == root.password


def test_session_of_a_user_deactivated_here_stays_ended(as_root, ada, as_ada):
    target = page("auth_user", "change", ada.pk)
    for is_active in ("", "on"):
        as_root.post(target, user_form(ada, is_active=is_active))
    assert User.objects.get(pk=ada.pk).is_active
    assert as_ada.get("/api/auth/user/").status_code == 403


def test_own_new_password_is_audited_and_ends_logins_by_token(root):
    client = client_of(root)
    token = log_in(username="root")["access_token"]
    new = "seven green herons"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post(reverse("admin:password_change"), form).status_code == 302
    assert not opens(token)
    assert TokenFamily.objects.get().revoked_because == TokenFamily.Ending.PASSWORD
    row = AuditLog.objects.get(action="change_password")
    assert (row.user_id, row.resource_id) == (root.pk, str(root.pk))
    assert client.get("/api/auth/user/").status_code == 200


def test_superuser_changes_flags(as_root, ada):
    answer = as_root.post(
        page("auth_user", "change", ada.pk), user_form(ada, is_staff="on", is_superuser="on")
    )
    assert answer.status_code == 302
    assert User.objects.get(pk=ada.pk).is_superuser


def test_last_administrator_stays(as_root, root):
    target = page("auth_user", "change", root.pk)
    answer = as_root.post(target, user_form(root, is_staff="on"), follow=True)
    assert "Nobody would be left who may manage users." in answer.content.decode()
    assert User.objects.get(pk=root.pk).is_superuser
    assert not AuditLog.objects.filter(action="admin_change").exists()


def test_last_administrators_role_stays_on(deputy):
    role = UserRole.objects.get(name="admin")
    target = page("imputation_userrole", "change", role.pk)
    answer = client_of(deputy).post(target, {"description": ""}, follow=True)
    assert "Nobody would be left" in answer.content.decode()
    assert UserRole.objects.get(pk=role.pk).is_active


@pytest.mark.parametrize("selected", [True, False])
def test_last_administrators_profile_stays(deputy, selected):
    if selected:
        form = {"action": "delete_selected", "_selected_action": deputy.profile.pk, "post": "yes"}
        target = page("imputation_userprofile", "changelist")
    else:
        form = {"post": "yes"}
        target = page("imputation_userprofile", "delete", deputy.profile.pk)
    answer = client_of(deputy).post(target, form)
    assert answer.status_code == 302
    assert UserProfile.objects.filter(user=deputy).exists()


def test_nobody_deletes_users_or_roles(as_root, root, ada):
    assert as_root.post(page("auth_user", "delete", ada.pk), {"post": "yes"}).status_code == 403
    role = page("imputation_userrole", "delete", ada.profile.role_id)
    assert as_root.post(role, {"post": "yes"}).status_code == 403


def test_addition_and_deletion_are_audited(as_root, root, ada):
    service = make_service()
    as_root.post(
        page("imputation_userserviceaccess", "add"),
        {"user": ada.pk, "service": service.pk, "has_access": "on", "quota_used": 0},
    )
    access = ada.service_access.get()
    as_root.post(page("imputation_userserviceaccess", "delete", access.pk), {"post": "yes"})
    rows = AuditLog.objects.order_by("id").values_list("action", "resource_type", "resource_id")
    assert list(rows) == [
        ("admin_add", "userserviceaccess", str(access.pk)),
        ("admin_delete", "userserviceaccess", str(access.pk)),
    ]
