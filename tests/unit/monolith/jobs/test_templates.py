"""Templates: kept, shared, and made into jobs with every check of a job."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from federated_imputation.monolith.accounts.models import AuditLog, UserProfile
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.plans.models import JobTemplate
from federated_imputation.monolith.registry.models import ReferencePanel
from tests.factories import make_panel, make_service, make_user
from tests.genotype_files import study
from tests.unit.monolith.jobs.plans_world import (
    client_of,
    new_panel,
    put_file,
    put_template,
    send,
    somebody,
    template_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def panel():
    return new_panel(populations=["afr", "eur"])


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def client(ada):
    return client_of(ada)


def use(client, template_id, **fields):
    return client.post(f"/api/templates/{template_id}/use/", {"name": "Study", **fields})


def test_template_is_shown_as_it_was_made(client, panel, ada):
    settings = {"build": "GRCh37", "phasing": True, "population": "AFR", "is_public": True}

    made = send(client, "/api/templates/", template_of(panel, description="Ours", **settings))

    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["build"], told["phasing"], told["population"]) == ("hg19", True, "AFR")
    assert (told["service"]["id"], told["reference_panel"]["id"]) == (panel.service_id, panel.pk)
    assert told["user"] == {"id": ada.pk, "username": "ada"}
    assert client.get(f"/api/templates/{told['id']}/").json() == told
    assert client.get("/api/templates/").json()["results"] == [told]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "", "may not be blank"),
        ("name", "x" * 201, "no more than 200 characters"),
        ("service", 4711, "does not exist"),
        ("reference_panel", 4711, "does not exist"),
        ("build", "hg17", "not a known build"),
        ("population", "mars", "none of: afr, eur"),
        ("is_public", "yes", "Must be a valid boolean"),
    ],
)
def test_template_that_does_not_fit_is_refused_by_field(client, panel, field, value, told):
    answer = send(client, "/api/templates/", template_of(panel, **{field: value}))

    assert answer.status_code == 400
    assert told in answer.json()[field][0]
    assert not JobTemplate.objects.exists()


def test_panel_of_another_service_is_refused(client, panel):
    other = make_panel(make_service("EUR node", api_key_required=False))
    template_id = put_template(client, panel)

    made = send(client, "/api/templates/", template_of(panel, reference_panel=other.pk))
    changed = send(
        client, f"/api/templates/{template_id}/", {"reference_panel": other.pk}, method="PATCH"
    )

    for answer in (made, changed):
        assert answer.status_code == 400
        assert answer.json()["reference_panel"] == ["This panel does not belong to the service."]


def test_public_template_is_everybodys_to_see_and_its_owners_to_change(client, panel):
    private, public = put_template(client, panel), put_template(client, panel, is_public=True)
    bob = somebody(role="researcher")

    assert [row["id"] for row in bob.get("/api/templates/").json()["results"]] == [public]
    assert bob.get(f"/api/templates/{public}/").status_code == 200
    assert bob.get(f"/api/templates/{private}/").status_code == 404
    for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
        assert send(bob, f"/api/templates/{public}/", body, method=method).status_code == 403
        assert send(bob, f"/api/templates/{private}/", body, method=method).status_code == 404
    assert use(bob, private, input_file=study()).status_code == 404
    assert use(bob, public, input_file=study()).status_code == 201


def test_template_that_is_shared_no_more_is_gone_for_others(client, panel):
    template_id = put_template(client, panel, is_public=True)
    bob = somebody(role="researcher")

    send(client, f"/api/templates/{template_id}/", {"is_public": False}, method="PATCH")

    assert bob.get(f"/api/templates/{template_id}/").status_code == 404


def test_list_is_filtered(client, panel):
    other = make_panel(make_service("EUR node", api_key_required=False))
    wanted = put_template(client, panel, name="Needle", is_public=True)
    put_template(client, other, name="Hay")

    for query in ("search=needle", "is_public=true", f"service={panel.service_id}"):
        found = client.get(f"/api/templates/?{query}").json()["results"]
        assert [row["id"] for row in found] == [wanted], query
    assert client.get("/api/templates/").json()["count"] == 2
    assert client.get("/api/templates/?is_public=perhaps").status_code == 400


def test_edit_changes_what_it_names(client, panel):
    template_id = put_template(client, panel, description="Ours", population="afr")

    changed = send(client, f"/api/templates/{template_id}/", {"name": "New"}, method="PATCH")

    assert changed.status_code == 200
    told = changed.json()
    assert (told["name"], told["description"], told["population"]) == ("New", "Ours", "afr")


def test_job_of_a_template_has_its_settings_but_for_overrides(client, panel):
    template_id = put_template(
        client, panel, description="Ours", build="hg19", population="afr", phasing=True
    )

    plain = use(client, template_id, genotype_file=put_file(client))
    other = use(
        client, template_id, input_file=study(), build="hg38", population="eur", phasing="false"
    )

    assert (plain.status_code, other.status_code) == (201, 201), plain.content + other.content
    fields = ("description", "build", "population", "phasing", "service", "reference_panel")
    place = (panel.service_id, panel.pk)
    told = [tuple(answer.json()[name] for name in fields) for answer in (plain, other)]
    assert told == [("Ours", "hg19", "afr", True, *place), ("Ours", "hg38", "eur", False, *place)]
    assert JobTemplate.objects.get().usage_count == 2


def test_every_check_of_a_job_holds_when_a_template_is_used(client, panel):
    template_id = put_template(client, panel)
    vcf_id = put_file(client, "study.vcf")
    foreign = put_file(somebody())

    def errors(**fields):
        answer = use(client, template_id, **fields)
        assert answer.status_code == 400, answer.content
        return answer.json()

    assert errors()["input_file"] == ["This field is required."]
    assert '"bgzip"' in errors(genotype_file=vcf_id)["genotype_file"][0]
    assert "does not exist" in errors(genotype_file=foreign)["genotype_file"][0]
    assert "none of" in errors(input_file=study(), population="mars")["population"][0]
    ReferencePanel.objects.update(is_active=False)
    retired = errors(input_file=study())
    assert retired["reference_panel"] == ["This panel is not active."]
    panel.service.is_active = False
    panel.service.save()
    assert errors(input_file=study())["service"] == ["This service is not active."]
    assert JobTemplate.objects.get().usage_count == 0
    assert not ImputationJob.objects.exists()


def test_retired_panel_does_not_keep_a_template_from_being_renamed(client, panel):
    template_id = put_template(client, panel)
    ReferencePanel.objects.update(is_active=False)

    answer = send(client, f"/api/templates/{template_id}/", {"name": "Old"}, method="PATCH")

    assert answer.status_code == 200


def test_quota_holds_for_templates(client, panel, ada):
    template_id = put_template(client, panel)
    UserProfile.objects.filter(user=ada).update(monthly_job_limit=1)

    assert use(client, template_id, input_file=study()).status_code == 201
    refused = use(client, template_id, input_file=study())

    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert JobTemplate.objects.get().usage_count == 1


def test_viewer_makes_and_uses_no_template(client, panel):
    template_id = put_template(client, panel, is_public=True)
    viewer = somebody("carol", role="viewer")

    assert viewer.get(f"/api/templates/{template_id}/").status_code == 200
    assert send(viewer, "/api/templates/", template_of(panel)).status_code == 403
    assert use(viewer, template_id, input_file=study()).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_uses_at_the_same_time_are_all_counted(panel):
    owner = somebody("owner", role="researcher")
    template_id = put_template(owner, panel, is_public=True)
    users = [somebody(name, role="researcher") for name in ("u1", "u2", "u3", "u4")]
    together = Barrier(len(users), timeout=60)

    def one(client):
        together.wait()
        try:
            return use(client, template_id, input_file=study()).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(users)) as pool:
        assert list(pool.map(one, users)) == [201] * len(users)
    assert JobTemplate.objects.get().usage_count == len(users)


def test_writes_are_audited(client, panel, ada):
    template_id = put_template(client, panel)
    send(client, f"/api/templates/{template_id}/", {"name": "New"}, method="PATCH")
    client.delete(f"/api/templates/{template_id}/")

    found = AuditLog.objects.filter(resource_type="job_template").order_by("id")
    assert list(found.values_list("action", "user_id", "resource_id")) == [
        (action, ada.pk, template_id)
        for action in ("create_template", "update_template", "delete_template")
    ]


def test_id_that_is_none_is_not_there(client):
    for template_id in ("nonsense", uuid4()):
        assert client.get(f"/api/templates/{template_id}/").status_code == 404
        assert use(client, template_id, input_file=study()).status_code == 404


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE imputation_jobtemplate SET name = ''",
        "UPDATE imputation_jobtemplate SET usage_count = -1",
    ],
)
def test_database_refuses_what_is_no_template(client, panel, sql):
    put_template(client, panel)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    "deletion",
    [
        "DELETE FROM auth_user",
        "DELETE FROM imputation_referencepanel",
        "DELETE FROM imputation_imputationservice",
    ],
)
def test_database_deletes_templates_with_what_they_name(panel, deletion):
    """As a process does it that knows nothing of templates."""
    elsewhere = make_service("EUR node")
    JobTemplate.objects.create(
        user=make_user("owner"), name="T", service=elsewhere, reference_panel=panel
    )
    if deletion.endswith("service"):  # panels have no cascade of the database's own
        deletion += f" WHERE id = {elsewhere.pk}"

    with connection.cursor() as cursor:
        cursor.execute(deletion)

    assert not JobTemplate.objects.exists()
