"""Services and reference panels, as clients see them."""

import pytest

from federated_imputation.monolith.accounts.models import ServicePermission
from federated_imputation.monolith.registry import standing
from federated_imputation.monolith.registry.models import ImputationService
from tests.factories import NOW, make_panel, make_service, make_user

pytestmark = pytest.mark.django_db
NOT_FOUND = "Not found."
SECRET = "s3cr3t-value"


@pytest.fixture
def service():
    return make_service(
        api_url=f"https://user:{SECRET}@imputation.example.org/path",
        api_key=SECRET,
        api_config={
            "application": "imputationserver2",
            "api_token": SECRET,
            "nested": [{"Authorization": SECRET, "queue": "long"}],
            "mirror": f"https://user:{SECRET}@mirror.example.org",
        },
    )


@pytest.fixture
def panel(service):
    return make_panel(service, populations=["afr", "mixed"], samples_count=120)


def names(answer):
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


def test_services_have_the_legacy_fields(client, service, panel):
    make_panel(service, "old", is_active=False)
    body = client.get("/api/services/").json()
    assert {name: body[name] for name in ("count", "next", "previous")} == {
        "count": 1,
        "next": None,
        "previous": None,
    }
    (row,) = body["results"]
    assert row == {
        "id": service.pk,
        "name": "AFR node",
        "service_type": "michigan",
        "api_type": "michigan",
        "api_url": "https://imputation.example.org/path",
        "description": "",
        "location": "",
        "continent": "",
        "is_active": True,
        "api_key_required": True,
        "max_file_size_mb": 100,
        "supported_formats": ["vcf.gz"],
        "reference_panels_count": 1,
        "api_config": {
            "application": "imputationserver2",
            "nested": [{"queue": "long"}],
            "mirror": "https://mirror.example.org",
        },
        "health_status": "not checked",
        "health_message": "",
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
    assert client.get(f"/api/services/{service.pk}/").json() == row


@pytest.mark.parametrize(
    ("stored", "shown"),
    [(["vcf", None, 7], ["vcf"]), (True, []), (1.5, []), ({"vcf": True}, []), ("vcf", [])],
)
def test_formats_are_names_whatever_a_legacy_column_holds(client, service, stored, shown):
    ImputationService.objects.update(supported_formats=stored)
    (row,) = client.get("/api/services/").json()["results"]
    assert row["supported_formats"] == shown


def test_service_that_does_not_answer_jobs_says_since_when(client, service):
    leave = standing.enter(service.pk, now=NOW)
    for _ in range(5):
        standing.note_silence(leave, "No connection to 10.0.0.1:443.", now=NOW, jitter=0)

    row = client.get(f"/api/services/{service.pk}/").json()

    assert row["health_status"] == "unhealthy"
    assert row["health_message"] == (
        "The service does not answer since 2026-03-01 12:00 UTC; "
        "next try at 2026-03-01 12:00:15 UTC."
    )
    assert client.get("/api/services/").json()["results"][0]["health_status"] == "unhealthy"


def test_no_answer_holds_a_secret(client, service, panel):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    for path in (
        "/api/services/",
        f"/api/services/{service.pk}/",
        f"/api/services/{service.pk}/reference_panels/",
        "/api/reference-panels/",
        f"/api/reference-panels/{panel.pk}/",
        "/api/dashboard/services_overview/",
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()


def test_health_is_unknown_while_checks_run_but_none_was_made(client, service, settings):
    settings.BACKGROUND_CHECKS = True
    assert client.get(f"/api/services/{service.pk}/").json()["health_status"] == "unknown"


def test_services_are_listed_by_20_a_page(client):
    for number in range(21):
        make_service(f"Service {number}")
    first = client.get("/api/services/").json()
    assert first["count"] == 21
    assert len(first["results"]) == 20
    assert first["next"] == "http://testserver/api/services/?page=2"
    assert names(client.get(first["next"])) == ["Service 20"]
    assert client.get("/api/services/?page=3").status_code == 404


def test_inactive_services_are_listed_for_staff_only(client, service):
    make_service("Closed", is_active=False)
    assert names(client.get("/api/services/?is_active=false")) == ["AFR node"]
    client.force_login(make_user("grace", is_staff=True))
    assert names(client.get("/api/services/?is_active=false")) == ["Closed"]
    assert names(client.get("/api/services/")) == ["AFR node"]


def test_inactive_services_are_listed_for_those_who_manage_services(client, service):
    make_service("Closed", is_active=False)
    client.force_login(make_user("boss", role="admin"))
    assert names(client.get("/api/services/?is_active=false")) == ["Closed"]


@pytest.mark.parametrize("kind", ["view", "submit_jobs", "view_jobs", "manage_jobs", "admin"])
def test_inactive_service_is_listed_for_those_with_a_right_there(client, service, kind):
    closed = make_service("Closed", is_active=False)
    make_service("Closed, too", is_active=False)
    user = make_user("grace", role="viewer")
    client.force_login(user)
    assert names(client.get("/api/services/?is_active=false")) == ["AFR node"]
    right = ServicePermission.objects.create(user=user, service=closed, permission=kind)
    assert names(client.get("/api/services/?is_active=false")) == ["Closed"]
    assert names(client.get("/api/services/?is_active=true")) == ["AFR node"]
    ServicePermission.objects.filter(pk=right.pk).update(is_active=False)
    assert names(client.get("/api/services/?is_active=false")) == ["AFR node"]


@pytest.mark.parametrize(
    "query",
    [
        "service_type=dnastack",
        "api_type=ga4gh",
        "continent=africa",
        "search=CLOUD",
        "search=platform&service_type=",
        "search=bamako",
        "search=fric",
    ],
)
def test_services_are_filtered(client, service, query):
    make_service(
        "Omics Cloud",
        service_type="dnastack",
        api_type="ga4gh",
        description="A platform",
        location="Bamako",
        continent="Africa",
    )
    assert names(client.get(f"/api/services/?{query}")) == ["Omics Cloud"]


@pytest.mark.parametrize(
    "query", ["is_active=perhaps", "service_type=other", "api_type=x", f"continent={51 * 'a'}"]
)
def test_services_refuse_a_malformed_filter(client, query):
    answer = client.get(f"/api/services/?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["details"]) == [query.partition("=")[0]]


def test_inactive_service_is_still_shown_by_id(client):
    closed = make_service("Closed", is_active=False)
    assert client.get(f"/api/services/{closed.pk}/").json()["is_active"] is False


@pytest.mark.parametrize(
    "path",
    [
        "/api/services/999999/",
        "/api/services/99999999999999999999999/",
        "/api/services/abc/",
        "/api/services/1e3/",
        "/api/reference-panels/999999/",
        "/api/reference-panels/abc/",
        "/api/nothing-here/",
    ],
)
def test_unknown_and_malformed_paths_are_404_in_json(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["detail"]) == (404, NOT_FOUND)


def test_panels_have_the_legacy_fields(client, service, panel):
    (row,) = client.get("/api/reference-panels/").json()["results"]
    assert row == {
        "id": panel.pk,
        "name": "Kit AFR",
        "panel_id": "apps@kit-afr@1.0.0",
        "description": "",
        "population": "African",
        "populations": ["afr", "mixed"],
        "build": "hg38",
        "samples_count": 120,
        "variants_count": None,
        "is_active": True,
        "service": service.pk,
        "service_name": "AFR node",
        "service_type": "michigan",
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
    assert client.get(f"/api/reference-panels/{panel.pk}/").json() == row


def test_panels_are_filtered(client, service, panel):
    other = make_service("EUR node")
    make_panel(other, "apps@kit-eur@1.0.0", name="Kit EUR", population="European", build="hg19")
    make_panel(other, "gone", name="Gone", is_active=False)
    assert names(client.get(f"/api/reference-panels/?service={other.pk}")) == ["Kit EUR"]
    assert names(client.get("/api/reference-panels/?population=AFRI")) == ["Kit AFR"]
    assert names(client.get("/api/reference-panels/?build=hg19")) == ["Kit EUR"]
    assert names(client.get("/api/reference-panels/?service=")) == ["Kit AFR", "Kit EUR"]


@pytest.mark.parametrize(
    "query", ["service=abc", "service=0", f"build={21 * 'a'}", f"population={101 * 'a'}"]
)
def test_panels_refuse_a_malformed_filter(client, query):
    answer = client.get(f"/api/reference-panels/?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["details"]) == [query.partition("=")[0]]


def test_panels_of_a_service_are_a_plain_array(client, service, panel):
    make_panel(make_service("EUR node"), name="Kit EUR")
    client.force_login(make_user())
    path = f"/api/services/{service.pk}/reference_panels/"
    assert [row["name"] for row in client.get(path).json()] == ["Kit AFR"]
    assert client.get(f"{path}?population=europ").json() == []
    assert client.get(f"{path}?build=hg19").json() == []
    assert client.get("/api/services/999999/reference_panels/").status_code == 404


def test_panels_of_a_service_are_refused_to_an_anonymous_caller(client, service):
    answer = client.get(f"/api/services/{service.pk}/reference_panels/")
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Authentication credentials were not provided."


@pytest.mark.parametrize("path", ["/api/services/", "/api/reference-panels/"])
def test_lists_ask_the_same_number_of_statements_however_long_they_are(
    client, service, panel, path, django_assert_num_queries
):
    with django_assert_num_queries(2):
        client.get(path)
    for number in range(5):
        make_panel(make_service(f"Service {number}"))
    with django_assert_num_queries(2):
        client.get(path)
