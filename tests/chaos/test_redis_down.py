"""Valkey goes away, comes back, or refuses to write: the API serves and no job is lost.

What limits and locks do meanwhile is tested in `tests/unit/apps/shared/limits`.
"""

import redis

from tests.chaos.site import Site, eventually, study_of
from tests.michigan_server import MichiganServer


def _redis_url(site: Site) -> str:
    text = site.state.environment_file("monolith").read_text()
    return next(line for line in text.splitlines() if line.startswith("REDIS_URL=")).split("'")[1]


def test_the_api_serves_and_jobs_wait_for_the_tick(site: Site, service: MichiganServer):
    panel = site.register(service.url, token=service.token)
    with site.down("valkey"):
        answer = site.send(site.form(panel, content=study_of(2_000)))
        assert answer.status_code == 201
        job_id = answer.json()["id"]
        assert site.api.job(job_id).status == "pending"
        ready = site.session.get(f"{site.url}/readyz", timeout=30)
        assert ready.status_code == 503
        for path in ("/api/services/", "/api/jobs/", "/admin/"):
            assert site.session.get(site.url + path, timeout=30).status_code == 200
        assert service.submissions == {}

    assert site.wait(job_id).status == "completed"
    assert service.submissions[f"fip-{job_id}"] == 1


def test_a_job_under_way_goes_on_after_it(site: Site, service: MichiganServer):
    service.states = (1, 2, 2, 2, 4)
    panel = site.register(service.url, token=service.token)
    job_id = site.send(site.form(panel, content=study_of(2_000))).json()["id"]
    eventually(lambda: service.submissions[f"fip-{job_id}"] == 1)
    with site.down("valkey"):
        assert site.api.job(job_id).status in {"queued", "pending", "running"}
    assert site.wait(job_id).status == "completed"
    assert service.submissions[f"fip-{job_id}"] == 1


def test_a_server_that_refuses_to_write_is_as_one_that_is_down(site: Site, service: MichiganServer):
    """As on a full disk, or at the end of its memory."""
    panel = site.register(service.url, token=service.token)
    with redis.Redis.from_url(_redis_url(site)) as client:
        client.config_set("maxmemory", "1")
        try:
            answer = site.send(site.form(panel, content=study_of(2_000)))
            assert answer.status_code == 201, answer.text
            assert site.session.get(f"{site.url}/api/jobs/", timeout=30).status_code == 200
        finally:
            client.config_set("maxmemory", "0")
    job_id = answer.json()["id"]
    assert site.wait(job_id).status == "completed"
    assert service.submissions[f"fip-{job_id}"] == 1
