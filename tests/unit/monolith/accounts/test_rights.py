"""Roles, rights and groups: what they give, and until when."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser

from federated_imputation.monolith.accounts.models import (
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.queries import find_rights, is_barred
from federated_imputation.monolith.accounts.rights import (
    ROLE_CAPABILITIES,
    Capability,
    Rights,
    capabilities_of,
)
from tests.factories import NOW, make_service, make_user

Kind = ServicePermission.Kind
SECOND = timedelta(seconds=1)


def test_every_role_says_what_it_gives():
    assert set(ROLE_CAPABILITIES) == set(UserRole.Name)


@pytest.mark.parametrize(
    ("role", "given"),
    [
        ("admin", set(Capability)),
        ("service_admin", {"submit_jobs", "view_all_jobs", "manage_service_rights"}),
        ("researcher", {"submit_jobs"}),
        ("service_user", {"submit_jobs"}),
        ("viewer", set()),
        ("unheard of", set()),
        (None, {"submit_jobs"}),
    ],
)
def test_role_gives(role, given):
    assert capabilities_of(role=role) == given


def test_role_that_is_off_gives_nothing_but_to_a_superuser():
    assert capabilities_of(role="admin", role_is_active=False) == frozenset()
    assert capabilities_of(role="viewer", role_is_active=False, is_superuser=True) == set(
        Capability
    )


@pytest.mark.parametrize(
    ("held", "implied"),
    [
        ("view", {"view"}),
        ("submit_jobs", {"view", "submit_jobs"}),
        ("view_jobs", {"view", "view_jobs"}),
        ("manage_jobs", {"view", "view_jobs", "manage_jobs"}),
        ("admin", set(Kind)),
    ],
)
def test_right_implies(held, implied):
    rights = Rights(user_id=1, granted={7: frozenset({held})})
    assert {kind for kind in Kind if rights.may_at(7, kind)} == implied
    assert {kind for kind in Kind if rights.may_at(8, kind)} == set()
    assert {kind for kind in Kind if rights.services_with(kind) == {7}} == implied


@pytest.mark.django_db
def test_nobody_in_particular_has_no_rights():
    assert find_rights(AnonymousUser()) == Rights()


@pytest.mark.django_db
def test_deactivated_user_has_no_rights():
    user = make_user(role="admin", is_active=False, is_superuser=True)
    assert find_rights(user) == Rights()


@pytest.mark.django_db
def test_right_is_in_force_until_its_last_moment():
    user, service = make_user(role="viewer"), make_service()
    ServicePermission.objects.create(
        user=user, service=service, permission=Kind.VIEW_JOBS, expires_at=NOW
    )
    assert find_rights(user, now=NOW - SECOND).may_at(service.pk, Kind.VIEW_JOBS)
    assert not find_rights(user, now=NOW).may_at(service.pk, Kind.VIEW_JOBS)
    assert find_rights(user, now=NOW).services_with(Kind.VIEW) == frozenset()


@pytest.mark.django_db
def test_right_of_a_group_is_in_force_until_its_last_moment():
    user, service = make_user(role="viewer"), make_service()
    right = ServicePermission.objects.create(
        user=make_user("holder"), service=service, permission=Kind.SUBMIT_JOBS, expires_at=NOW
    )
    group = ServiceUserGroup.objects.create(name="Lab", service=service)
    group.permissions.add(right)
    ServiceUserGroupMembership.objects.create(group=group, user=user)
    assert find_rights(user, now=NOW - SECOND).may_submit_to(service.pk)
    assert not find_rights(user, now=NOW).may_submit_to(service.pk)


@pytest.mark.django_db
def test_service_bars_those_whose_access_is_switched_off():
    user, service, other = make_user(), make_service(), make_service("EUR node")
    UserServiceAccess.objects.create(user=user, service=service, has_access=False)
    UserServiceAccess.objects.create(user=user, service=other, has_access=True)
    UserServiceAccess.objects.create(user=make_user("bob"), service=other, has_access=False)
    by = find_rights(user)
    assert is_barred(by, service_id=service.pk)
    assert not is_barred(by, service_id=other.pk)
    assert not is_barred(find_rights(AnonymousUser()), service_id=service.pk)
