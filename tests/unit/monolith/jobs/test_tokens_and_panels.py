"""Tokens that end in the middle of a run, and panels that change under it."""

import base64
import json
from datetime import datetime, timedelta

import pytest

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.jobs import operations
from tests.factories import NOW
from tests.job_world import ORIGIN, PANEL, World
from tests.michigan_troubles import Reply

REFUSED = "does not accept the token"


def jwt(expires: datetime) -> str:
    claims = json.dumps({"sub": "ada", "exp": int(expires.timestamp())}).encode()
    return f"eyJh.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


def submitted(world: World):
    job_id = world.submit()
    world.step()
    return job_id


def give_token(world: World, job_id, token: str) -> None:
    operations.retry_job(
        job_id, user_id=world.user.pk, origin=ORIGIN, now=world.clock(), user_token=token
    )


def test_job_whose_token_expired_waits_and_goes_on_with_a_new_one(world: World):
    job_id = submitted(world)
    world.server.token = "the-new-token"
    for _ in range(30):
        world.go_on(job_id)
    assert world.job(job_id).status in {"queued", "running"}
    told = [message for message in world.messages(job_id) if REFUSED in message]
    assert len(told) == 1
    assert "A valid token is needed" in told[0]
    assert "seven days" in told[0]

    give_token(world, job_id, "the-new-token")

    assert world.job(job_id).work.next_poll_at == world.clock()
    assert world.finish(job_id).status == "completed"
    assert world.server.submissions == {f"fip-{job_id}": 1}


def test_job_waits_seven_days_for_a_token_and_no_longer(world: World):
    job_id = submitted(world)
    world.server.token = "the-new-token"
    world.go_on(job_id)
    world.clock.move(timedelta(days=6, hours=23))
    world.step()
    assert world.job(job_id).status in {"queued", "running"}
    world.clock.move(timedelta(hours=1))
    world.step()

    job = world.job(job_id)
    assert job.status == "failed"
    assert "seven days" in job.error_message


def test_token_that_the_user_stored_later_is_used_when_the_jobs_is_refused(world: World):
    job_id = submitted(world)
    world.server.token = "the-new-token"
    world.go_on(job_id)
    store_credential(
        service_id=world.service.pk,
        user_id=world.user.pk,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret="the-new-token",
        now=world.clock() + timedelta(seconds=1),
    )

    assert world.finish(job_id).status == "completed"


def test_token_that_the_user_stored_before_does_not_replace_the_jobs(world: World):
    store_credential(
        service_id=world.service.pk,
        user_id=world.user.pk,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret="an-old-token",
        now=world.clock() - timedelta(days=1),
    )
    job_id = submitted(world)
    world.server.next("job", Reply(401, {"message": "Token expired.", "success": False}))
    world.go_on(job_id)

    sent = {request.headers["x-auth-token"] for request in world.server.requests}
    assert sent == {world.server.token}


@pytest.mark.parametrize("ago", [timedelta(days=1), -timedelta(days=2)])
def test_token_that_says_that_it_ends_soon_is_told_once_and_used(world: World, ago: timedelta):
    world.server.token = jwt(NOW - ago)

    job_id = world.submit(user_token=world.server.token)
    job = world.finish(job_id)

    assert job.status == "completed"
    told = [message for message in world.messages(job_id) if "expires on" in message]
    assert len(told) == 1
    assert f"{NOW - ago:%Y-%m-%d}" in told[0]
    assert not any(world.server.token in message for message in world.messages(job_id))


def test_token_that_lasts_is_not_mentioned(world: World):
    world.server.token = jwt(NOW + timedelta(days=30))

    job_id = world.submit(user_token=world.server.token)
    world.finish(job_id)

    assert not any("expires on" in message for message in world.messages(job_id))


def test_job_with_a_newer_version_of_its_panel_says_so(world: World):
    world.panel.panel_id = "apps@kit-afr@0.9.0"
    world.panel.save()

    job_id = world.submit()
    job = world.finish(job_id)

    assert job.status == "completed"
    assert next(iter(world.server.jobs.values())).fields["refpanel"] == PANEL
    told = next(event for event in world.events(job_id) if "no longer offers" in event.message)
    assert told.external_data == {"asked_for": "apps@kit-afr@0.9.0", "panel": PANEL}


def test_newer_version_on_another_build_is_another_panel(world: World):
    from federated_imputation.monolith.registry.models import ReferencePanel

    ReferencePanel.objects.filter(pk=world.panel.pk).update(
        panel_id="apps@kit-afr@0.9.0", build="hg19"
    )
    offer = world.server_schema()
    offer["params"][0]["values"] = [{"key": PANEL, "value": "Kit AFR (hg38)"}]
    world.server.next("app", Reply(200, offer))

    job = world.finish(world.submit(build="hg19"))

    assert job.status == "failed"
    assert not world.server.submissions


def test_panel_that_goes_while_the_job_is_sent_is_looked_for_again(world: World):
    refusal = Reply(400, {"message": "Panel not found.", "success": False})
    before = Reply(200, world.server_schema())
    after = world.server_schema()
    panels = next(each for each in after["params"] if each["id"] == "refpanel")
    panels["values"] = [
        {**value, "key": value["key"].replace("@1.0.0", "@1.1.0")} for value in panels["values"]
    ]
    world.server.next("app", before, Reply(200, after), Reply(200, after))
    world.server.next("submit", refusal)

    job_id = world.submit()
    job = world.finish(job_id)

    assert job.status == "completed"
    assert next(iter(world.server.jobs.values())).fields["refpanel"] == "apps@kit-afr@1.1.0"
    messages = world.messages(job_id)
    assert any("has changed what it offers" in message for message in messages)
    assert any("no longer offers the panel apps@kit-afr@1.0.0" in message for message in messages)
