"""What people do below `/admin/` is in the audit log, with their own address."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from apps.shared.admin.pages import ReadOnlyAdmin
from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.operations import record_audit, store_credential
from federated_imputation.monolith.accounts.pages import RightsAdmin, WatchedAdmin
from federated_imputation.monolith.files.models import GenotypeFile, ResultFile
from federated_imputation.monolith.jobs.models import JobStatusUpdate
from federated_imputation.monolith.jobs.plans.models import JobBatch, JobTemplate, ScheduledJob
from federated_imputation.monolith.registry.models import ServiceConfiguration
from tests.factories import NOW, PASSWORD, make_job, make_panel, make_service, make_user

pytestmark = pytest.mark.django_db
FROM = {"REMOTE_ADDR": "2001:db8::7"}
OURS = [page for page in admin.site._registry.values() if isinstance(page, RightsAdmin)]


@pytest.fixture
def root(client):
    user = make_user("root", role="admin", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def rows():
    """One row of each model that has a page, by model name."""
    user, service = make_user("ada", role="researcher"), make_service()
    panel = make_panel(service)
    job = make_job(user, panel)
    return {
        "user": user,
        "group": Group.objects.create(name="All"),
        "userrole": user.profile.role,
        "userprofile": user.profile,
        "servicepermission": ServicePermission.objects.create(
            user=user, service=service, permission="view"
        ),
        "serviceusergroup": ServiceUserGroup.objects.create(name="All", service=service),
        "userserviceaccess": UserServiceAccess.objects.create(user=user, service=service),
        "imputationservice": service,
        "referencepanel": panel,
        "serviceconfiguration": ServiceConfiguration.objects.create(service=service),
        "imputationjob": job,
        "jobtemplate": JobTemplate.objects.create(
            user=user, name="All", service=service, reference_panel=panel
        ),
        "jobbatch": JobBatch.objects.create(user=user, name="All"),
        "scheduledjob": ScheduledJob.objects.create(
            user=user, name="All", schedule_type="once", scheduled_time=NOW
        ),
        "jobstatusupdate": JobStatusUpdate.objects.create(job=job, status="pending"),
        "genotypefile": GenotypeFile.objects.create(
            user=user, name="study.vcf", path="genotypes/x", size=1, sha256="0" * 64, format="vcf"
        ),
        "resultfile": ResultFile.objects.create(job=job, file_type="summary", filename="x"),
        "auditlog": record_audit(action="login", user_id=user.pk, origin=None, now=NOW),
        "servicecredential": store_credential(
            service_id=service.pk,
            kind=ServiceCredential.Kind.API_TOKEN,
            secret="pl41n",
            now=NOW,
        ),
    }


def recorded(*actions):
    """Who did which of these to what, and from where; oldest first."""
    found = AuditLog.objects.filter(action__in=actions).order_by("id")
    return list(
        found.values_list("action", "user_id", "resource_type", "resource_id", "ip_address")
    )


def test_every_page_of_ours_is_audited():
    ours = [page for model, page in admin.site._registry.items() if model._meta.app_label != "axes"]
    assert len(ours) > 12
    assert [page for page in ours if not isinstance(page, RightsAdmin)] == []
    shown = [page for page in ours if isinstance(page, ReadOnlyAdmin)]
    assert [page for page in shown if not isinstance(page, WatchedAdmin)] == []


def test_writes_are_audited(client, root):
    pages = "admin:imputation_servicepermission"
    right = {"user": root.pk, "service": make_service().pk, "permission": "view"}
    client.post(reverse(f"{pages}_add"), right, **FROM)
    added = recorded("admin_add")
    [(_, _, _, right_id, _)] = added
    change = reverse(f"{pages}_change", args=[right_id])
    client.post(change, {**right, "permission": "admin"}, **FROM)
    client.post(reverse(f"{pages}_delete", args=[right_id]), {"post": "yes"}, **FROM)
    what = (root.pk, "servicepermission", right_id, "2001:db8::7")
    assert recorded("admin_add", "admin_change", "admin_delete") == [
        ("admin_add", *what),
        ("admin_change", *what),
        ("admin_delete", *what),
    ]
    row = AuditLog.objects.get(action="admin_change")
    assert "Permission" in row.details["message"][0]["changed"]["fields"]


def test_a_deleted_secret_is_audited(client, root, rows):
    credential = rows["servicecredential"]
    page = reverse("admin:imputation_servicecredential_delete", args=[credential.pk])
    assert client.post(page, {"post": "yes"}, **FROM).status_code == 302
    assert recorded("admin_delete") == [
        ("admin_delete", root.pk, "servicecredential", str(credential.pk), "2001:db8::7")
    ]


@pytest.mark.parametrize("page", OURS, ids=lambda page: page.opts.model_name)
def test_looks_are_audited(client, root, rows, page):
    app, model = page.opts.app_label, page.opts.model_name
    row = rows[model]
    client.get(reverse(f"admin:{app}_{model}_changelist"), {"q": "x"}, **FROM)
    client.get(reverse(f"admin:{app}_{model}_change", args=[row.pk]), **FROM)
    client.get(reverse(f"admin:{app}_{model}_change", args=["0"]), **FROM)  # is not there
    assert recorded("data_access") == [
        ("data_access", root.pk, model, "", "2001:db8::7"),
        ("data_access", root.pk, model, str(row.pk), "2001:db8::7"),
    ]


@pytest.mark.parametrize("model", ["imputationjob", "resultfile", "auditlog", "servicecredential"])
def test_pages_are_closed_to_staff_whose_role_does_not_allow_them(client, rows, model):
    staff = make_user("staff", role="researcher", is_staff=True)
    client.force_login(staff)
    page = reverse(f"admin:imputation_{model}_change", args=[rows[model].pk])
    assert client.get(page).status_code == 403
    assert recorded("data_access") == []


@pytest.mark.parametrize("page", OURS, ids=lambda page: page.opts.model_name)
def test_no_column_is_guessed_by_filtering_for_it(client, root, page):
    address = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
    hidden = [
        field.name for field in page.opts.concrete_fields if field.name not in page.list_filter
    ]
    assert hidden
    for lookup in [*hidden, "user__password", "service__api_key"]:
        assert client.get(address, {f"{lookup}__startswith": "a"}).status_code == 400, lookup


def test_old_tokens_of_others_are_not_guessed_by_staff_who_see_all_jobs(client, rows):
    job = rows["imputationjob"]
    type(job).objects.filter(pk=job.pk).update(user_token="t0ken")
    staff = make_user("staff", role="service_admin", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_imputationjob"))
    client.force_login(staff)
    jobs = reverse("admin:imputation_imputationjob_changelist")
    assert client.get(jobs, {"status__exact": job.status}).status_code == 200
    for guess in ("t0", "x"):
        assert client.get(jobs, {"user_token__startswith": guess}).status_code == 400


def test_logins_at_the_admin_pages_are_audited(client):
    user = make_user("root", is_staff=True, is_superuser=True)
    page = reverse("admin:login")
    for username, password in (("root", "wrong"), ("nobody\0", "wrong"), ("root", PASSWORD)):
        client.post(page, {"username": username, "password": password}, **FROM)
    client.post(reverse("admin:logout"), **FROM)
    known = (user.pk, "user", str(user.pk), "2001:db8::7")
    assert recorded("login", "login_failed", "logout") == [
        ("login_failed", *known),
        ("login", *known),
        ("logout", *known),
    ]


def test_logins_of_names_that_nobody_has_are_audited(client):
    client.post(reverse("admin:login"), {"username": "nobody", "password": "x"}, **FROM)
    assert recorded("login_failed") == [("login_failed", None, "user", "", "2001:db8::7")]
    assert AuditLog.objects.get().details == {"username": "nobody"}


def test_a_login_at_the_api_is_audited_once(client):
    make_user()
    body = {"username": "ada", "password": PASSWORD}
    client.post("/api/auth/login/", body, content_type="application/json")
    client.post("/api/auth/login/", {**body, "password": "x"}, content_type="application/json")
    assert [action for action, *_ in recorded("login", "login_failed")] == ["login", "login_failed"]


def test_a_lock_is_audited(client, settings):
    settings.RATE_LIMITS = settings.AXES_ENABLED = True
    user = make_user()
    body = {"username": "ada", "password": "wrong"}
    for _ in range(settings.AXES_FAILURE_LIMIT + 1):
        answer = client.post("/api/auth/login/", body, content_type="application/json", **FROM)
    assert answer.status_code == 429
    assert recorded("login_locked") == [
        ("login_locked", user.pk, "user", str(user.pk), "2001:db8::7")
    ]
    assert len(recorded("login_failed")) == settings.AXES_FAILURE_LIMIT
