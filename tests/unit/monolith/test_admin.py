"""The admin pages: every model has one, none shows or takes a secret."""

import uuid

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import NoReverseMatch, reverse

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.operations import record_audit, store_credential
from federated_imputation.monolith.files.models import GenotypeFile, ResultFile
from federated_imputation.monolith.jobs.models import JobStatusUpdate
from federated_imputation.monolith.navigation import GROUPS
from federated_imputation.monolith.registry.models import ServiceConfiguration
from tests.factories import NOW, make_job, make_panel, make_service, make_user

pytestmark = pytest.mark.django_db
SECRET = "pl41nt3xt"
MODELS = {
    *(
        "auditlog",
        "genotypefile",
        "imputationjob",
        "imputationservice",
        "jobbatch",
        "jobstatusupdate",
        "jobtemplate",
        "referencepanel",
    ),
    *("resultfile", "serviceconfiguration", "servicecredential", "servicepermission"),
    *("scheduledjob", "serviceusergroup", "userprofile", "userrole", "userserviceaccess"),
}
READ_ONLY = {
    *("auditlog", "genotypefile", "imputationjob", "jobstatusupdate", "resultfile"),
    *("jobbatch", "jobtemplate", "scheduledjob"),
    "servicecredential",
}


@pytest.fixture
def rows(client):
    """One row of most models, with a secret wherever a legacy database may hold one."""
    user = make_user("root", role="admin", is_staff=True, is_superuser=True)
    service = make_service(api_key=SECRET)
    job = make_job(user, make_panel(service), user_token=SECRET)
    credential = store_credential(
        service_id=service.pk,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret=SECRET,
        user_id=user.pk,
        now=NOW,
    )
    ServiceConfiguration.objects.create(
        service=service,
        api_key=SECRET,
        api_secret=SECRET,
        additional_headers={"Authorization": SECRET},
    )
    UserServiceAccess.objects.create(user=user, service=service, api_key=SECRET)
    JobStatusUpdate.objects.create(job=job, status="pending")
    ResultFile.objects.create(job=job, file_type="summary", filename="x", download_url=SECRET)
    GenotypeFile.objects.create(
        user=user,
        name="study.vcf",
        path=f"genotypes/{SECRET}",
        size=1,
        sha256="0" * 64,
        format="vcf",
        first_look={"samples": [SECRET]},
    )
    record_audit(action="login", user_id=user.pk, origin=None, now=NOW)
    client.force_login(user)
    return credential


@pytest.mark.parametrize("model", sorted(MODELS))
def test_pages_show_rows_and_no_secret(client, rows, model):
    changelist = client.get(reverse(f"admin:imputation_{model}_changelist"), {"q": "x"})
    assert changelist.status_code == 200
    for row in apps.get_model("imputation", model).objects.all():
        page = client.get(reverse(f"admin:imputation_{model}_change", args=[row.pk]))
        assert page.status_code == 200
        assert SECRET not in page.content.decode()
        assert rows.encrypted not in page.content.decode()


@pytest.mark.parametrize("model", sorted(MODELS))
def test_rows_that_code_writes_cannot_be_added_by_hand(client, rows, model):
    page = client.get(reverse(f"admin:imputation_{model}_add"))
    assert page.status_code == (403 if model in READ_ONLY else 200)


def test_credential_can_be_deleted_and_not_changed(client, rows):
    page = reverse("admin:imputation_servicecredential_change", args=[rows.pk])
    assert client.post(page, {"kind": "api_secret"}).status_code == 403
    delete = reverse("admin:imputation_servicecredential_delete", args=[rows.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not ServiceCredential.objects.exists()


def test_audit_row_cannot_be_deleted(client, rows):
    row = AuditLog.objects.get()
    page = reverse("admin:imputation_auditlog_delete", args=[row.pk])
    assert client.post(page, {"post": "yes"}).status_code == 403


def test_genotype_files_are_found_by_what_describes_them_alone(client, rows):
    pages = reverse("admin:imputation_genotypefile_changelist")
    kept = str(GenotypeFile.objects.get().pk)
    for asked in ("q=study", "q=root", f"q={kept}", "format__exact=vcf"):
        assert kept in client.get(f"{pages}?{asked}").content.decode(), asked
    for asked in (f"q={SECRET}", "format__exact=bcf"):
        assert kept not in client.get(f"{pages}?{asked}").content.decode(), asked
    for hidden in ("path__startswith=g", "first_look__samples__0=x", "sha256__startswith=0"):
        assert client.get(f"{pages}?{hidden}").status_code in {302, 400}, hidden


def test_row_that_is_not_there_is_no_error(client, rows):
    page = client.get(reverse("admin:imputation_imputationjob_change", args=[uuid.uuid4()]))
    assert page.status_code == 302


def test_every_page_is_in_the_navigation_once():
    linked = [label for _, *links in GROUPS for label, _, _ in links]
    pages = {model._meta.label_lower for model in admin.site._registry}
    assert sorted(linked) == sorted(pages)


def test_the_navigation_leads_where_the_caller_may_go(client, rows):
    start = client.get(reverse("admin:index")).content.decode()
    for model in MODELS:
        assert f'href="{reverse(f"admin:imputation_{model}_changelist")}"' in start
    staff = make_user("staff", role="service_admin", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(staff)
    start = client.get(reverse("admin:index")).content.decode()
    assert reverse("admin:imputation_imputationjob_changelist") in start
    assert reverse("admin:imputation_auditlog_changelist") not in start


def test_no_search_looks_past_what_a_page_lets_be_searched(client, rows):
    with pytest.raises(NoReverseMatch):
        reverse("admin:search")
    assert client.get("/admin/search/", {"s": "job"}).status_code == 404
