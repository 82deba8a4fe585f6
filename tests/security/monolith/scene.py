"""The rows and the callers of the monolith's walk."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from apps.contracts.tokens import TokenType
from apps.genotypes.check.facts import Facts, FileFormat
from apps.genotypes.check.report import Report
from apps.shared.identity.permissions import SCOPES
from federated_imputation.monolith.accounts.models import (
    ApiToken,
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    TokenFamily,
    UserProfile,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.operations import record_audit, store_credential
from federated_imputation.monolith.accounts.operations.api_tokens import (
    NewApiToken,
    create_api_token,
)
from federated_imputation.monolith.accounts.operations.tokens import (
    IssuedTokens,
    open_family,
    refresh_tokens,
    revoke_token,
)
from federated_imputation.monolith.accounts.queries.tokens import read_token
from federated_imputation.monolith.files.models import FileRun, GenotypeFile, ResultFile
from federated_imputation.monolith.jobs.models import (
    ChildJob,
    ImputationJob,
    JobStatusUpdate,
    JobWork,
    ParentJob,
)
from federated_imputation.monolith.jobs.plans.models import (
    BatchJob,
    JobBatch,
    JobTemplate,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.registry.models import ImputationService, ServiceConfiguration
from tests.factories import make_job, make_panel, make_service, make_user
from tests.job_world import ORIGIN, PANEL
from tests.security.monolith.actors import (
    ELSEWHERE,
    EVERYBODY,
    GROUP,
    OWNERS_SCRIPTS,
    RIGHTS,
    ROLES,
    SAMPLE,
)
from tests.security.walk import Actor, Scene

__all__ = ["build_scene"]

# Who called, when, and that they were refused.
_NOTES = frozenset(
    {
        "axes_accessattempt",
        "axes_accessfailurelog",
        "django_session",
        "imputation_apitoken",
        "imputation_auditlog",
    }
)


def build_scene() -> Scene:
    """Make every row that the table speaks of, in the database and below `DATA_ROOT`."""
    here = make_service("Here")
    elsewhere = make_service("Elsewhere")
    closed = make_service("Closed-service", is_active=False)
    users = _users(here, elsewhere)
    actors = [
        Actor(name="anonymous"),
        *(Actor(name=name, cookies=_session(user)) for name, user in users.items()),
        *_by_token(users),
        *_scripts(users),
    ]
    values = _things_of(users["owner"], here, elsewhere)
    values |= _things_of_the_barred(users["barred here"], here)
    values |= _genotypes(users["owner"], users["viewer"])
    values |= _plans(users["owner"], users["barred here"], values)
    for kind, name in RIGHTS.items():
        ServicePermission.objects.create(user=users[name], service=closed, permission=kind)
    values |= {"closed": closed.pk, "closed name": closed.name}
    values |= {f"user {name}": user.pk for name, user in users.items()}
    values |= {f"profile of {n}": u.profile.pk for n, u in users.items() if hasattr(u, "profile")}
    values |= {
        "refresh token": _login(users["researcher"]).refresh_token,
        "access token": _login(users["researcher"]).access_token,
    }
    values |= _spent_refresh_tokens(users)
    script = ApiToken.objects.filter(user=users["owner"]).order_by("id")[0]
    ApiToken.objects.filter(pk=script.pk).update(name="owners-script")
    values |= {"token_id": script.pk, "script name": "owners-script"}
    User.objects.filter(pk=users["deactivated"].pk).update(is_active=False)
    by_name = {actor.name: actor for actor in actors}
    assert by_name.keys() == EVERYBODY, by_name.keys() ^ EVERYBODY
    return Scene(actors=by_name, sample=SAMPLE, values=values, notes=_NOTES)


def _users(here: ImputationService, elsewhere: ImputationService) -> dict[str, User]:
    """The people, by the actor's name."""
    ago = timezone.now() - timedelta(seconds=1)
    users = {role: make_user(role, role=role) for role in sorted(ROLES)}
    users["owner"] = make_user("owner", role="researcher", email="owner@example.org")
    users["deactivated"] = make_user("deactivated", role="admin", is_staff=True)
    users["superuser"] = make_user("superuser", role="admin", is_staff=True, is_superuser=True)
    users["staff"] = make_user("staff", is_staff=True)
    for role in ("admin", "service_admin", "viewer"):
        clerk = make_user(f"clerk-{role}", role=role, is_staff=True)
        clerk.user_permissions.set(Permission.objects.all())
        users[f"clerk, {role} by role"] = clerk
    users["barred here"] = barred = make_user("barred", role="researcher")
    UserServiceAccess.objects.create(user=barred, service=here, has_access=False)
    users["without a profile"] = make_user("bare")
    users["with a role switched off"] = idle = make_user("idle", role="viewer")
    idle.profile.role = UserRole.objects.create(name="formerly_admin", is_active=False)
    idle.profile.save()
    for kind, name in RIGHTS.items():
        users[name] = _with_right(f"{kind}-here", here, kind)
    for kind, name in ELSEWHERE.items():
        users[name] = _with_right(f"{kind}-elsewhere", elsewhere, kind)
    for kind, name in GROUP.items():
        users[name] = _in_group(f"{kind}-group", here, kind)
    users["admin here, expired"] = _with_right("expired", here, "admin", expires_at=ago)
    users["admin here, switched off"] = _with_right("off", here, "admin", is_active=False)
    users["admin here by group, expired"] = late = _in_group("expired-group", here, "admin")
    ServicePermission.objects.filter(groups__memberships__user=late).update(expires_at=ago)
    users["admin here by group, switched off"] = _in_group(
        "off-group", here, "admin", is_active=False
    )
    users["admin here by group of elsewhere"] = _in_group(
        "foreign-group", here, "admin", service=elsewhere
    )
    users["admin here by membership, expired"] = left = _in_group("left-group", here, "admin")
    ServiceUserGroupMembership.objects.filter(user=left).update(expires_at=ago)
    return users


def _by_token(users: dict[str, User]) -> Iterator[Actor]:
    """People who come with an access token, and with one that is not in force."""
    for name in ("owner", "researcher", "admin"):
        yield _bearer(f"{name} by token", _login(users[name]).access_token)
    yield _bearer("garbage token", "garbage", refusal=401)
    yield _bearer("refresh token", _login(users["owner"]).refresh_token, refusal=401)
    yield _bearer("token of deactivated", _login(users["deactivated"]).access_token, refusal=401)
    ended, revoked = _login(users["owner"]), _login(users["owner"])
    now = timezone.now()
    revoke_token(token=ended.refresh_token, origin=ORIGIN, now=now)
    revoke_token(token=revoked.access_token, origin=ORIGIN, now=now)
    yield _bearer("token of a login that ended", ended.access_token, refusal=401)
    yield _bearer("token that was revoked", revoked.access_token, refusal=401)


def _spent_refresh_tokens(users: dict[str, User]) -> dict[str, str]:
    """Refresh tokens that bring nothing any more, each for a reason of its own."""
    now = timezone.now()
    researcher, changed = users["researcher"], make_user("changed", role="researcher")
    ended, expired, used = _login(researcher), _login(researcher), _login(researcher)
    earlier, deactivated = _login(changed), _login(users["deactivated"])
    revoke_token(token=ended.refresh_token, origin=ORIGIN, now=now)
    refresh_tokens(token=used.refresh_token, origin=ORIGIN, now=now)
    TokenFamily.objects.filter(
        pk=read_token(expired.refresh_token, token_type=TokenType.REFRESH).family
    ).update(expires_at=now)
    changed.set_password("another walrus counts 12 kettles")
    changed.save()
    return {
        "refresh token of deactivated": deactivated.refresh_token,
        "refresh token of a login that ended": ended.refresh_token,
        "refresh token of a login that expired": expired.refresh_token,
        "refresh token of an earlier password": earlier.refresh_token,
        "refresh token that was used": used.refresh_token,
    }


def _scripts(users: dict[str, User]) -> Iterator[Actor]:
    """API tokens, and some that are not in force."""
    owner = users["owner"]
    for name, scopes in OWNERS_SCRIPTS.items():
        yield _bearer(name, _api_token(owner, scopes).token)
    admins = _api_token(users["admin"], SCOPES)
    yield _bearer("script of admin with all scopes", admins.token)
    expired, revoked = _api_token(owner, SCOPES), _api_token(owner, SCOPES)
    now = timezone.now()
    ApiToken.objects.filter(pk=expired.row.pk).update(expires_at=now)
    ApiToken.objects.filter(pk=revoked.row.pk).update(revoked_at=now)
    yield _bearer("script, expired", expired.token, refusal=401)
    yield _bearer("script, revoked", revoked.token, refusal=401)
    dead = _api_token(users["deactivated"], SCOPES)
    yield _bearer("script of deactivated", dead.token, refusal=401)


def _login(user: User) -> IssuedTokens:
    return open_family(user=user, session_key="", replaces=None, now=timezone.now())


def _api_token(user: User, scopes: Iterable[str]) -> NewApiToken:
    return create_api_token(
        user=user,
        name="walk",
        scopes=scopes,
        expires_in_days=1,
        origin=ORIGIN,
        now=timezone.now(),
    )


def _bearer(name: str, token: str, *, refusal: int = 403) -> Actor:
    return Actor(name=name, headers={"Authorization": f"Bearer {token}"}, refusal=refusal)


def _with_right(username: str, service: ImputationService, kind: str, **fields: Any) -> User:
    user = make_user(username, role="viewer")
    ServicePermission.objects.create(user=user, service=service, permission=kind, **fields)
    return user


def _in_group(username: str, right_at: ImputationService, kind: str, **fields: Any) -> User:
    """A viewer in a group that holds somebody else's right."""
    holder = make_user(f"{username}-holder", role="viewer")
    right = ServicePermission.objects.create(user=holder, service=right_at, permission=kind)
    group = ServiceUserGroup.objects.create(name=username, **{"service": right_at, **fields})
    group.permissions.add(right)
    user = make_user(username, role="viewer")
    ServiceUserGroupMembership.objects.create(group=group, user=user)
    return user


def _things_of(
    owner: User, here: ImputationService, elsewhere: ImputationService
) -> dict[str, Any]:
    """What belongs to the owner, and the services."""
    # Values other than those that everybody has, so that resetting one changes it.
    UserProfile.objects.filter(user=owner).update(
        institution="owners-institute", monthly_jobs_used=3, storage_used_gb=2
    )
    owner.profile.refresh_from_db()
    panel = make_panel(here, PANEL, populations=["afr", "off"])
    other_panel = make_panel(elsewhere, PANEL, populations=["afr", "off"])
    done = make_job(owner, panel, name="owners-done-job", status="completed")
    waiting = make_job(owner, panel, name="owners-waiting-job", status="pending")
    failed = make_job(owner, panel, name="owners-failed-job", status="failed")
    for job in (done, waiting, failed):
        over = job is not waiting
        JobWork.objects.create(
            job=job,
            phase="done" if over else "submit",
            next_poll_at=None if over else timezone.now(),
        )
    parents = {job: _parent_of(job, name="owners-study") for job in (done, waiting, failed)}
    update = JobStatusUpdate.objects.create(job=done, status="completed", message="owners-update")
    file = ResultFile.objects.create(
        job=done,
        file_type="imputed_data",
        filename="owners-file.zip",
        file_path=_written(f"results/{done.pk}/1/abc-owners-file.zip", b"PK" + bytes(100)),
        file_size=102,
        checksum="0" * 64,
    )
    now = timezone.now()
    store_credential(
        service_id=here.pk,
        user_id=owner.pk,
        job_id=done.pk,
        kind=ServiceCredential.Kind.RESULT_PASSWORD,
        secret="owners-password",
        now=now,
    )
    credential = store_credential(
        service_id=here.pk,
        user_id=owner.pk,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret="owners-token",
        now=now,
    )
    for service in (
        here,
        elsewhere,
    ):  # so that whoever may submit a job needs no token of their own
        store_credential(
            service_id=service.pk,
            kind=ServiceCredential.Kind.API_TOKEN,
            secret="services-token",
            now=now,
        )
    audit = record_audit(action="login", user_id=owner.pk, origin=None, now=now)
    access = UserServiceAccess.objects.create(user=owner, service=here, quota_limit=4711)
    configuration = ServiceConfiguration.objects.create(service=here)
    rights = ServicePermission.objects.filter(permission="view")
    right = rights.get(user__username="view-here", service=here)
    foreign_right = rights.get(user__username="view-elsewhere")
    group = ServiceUserGroup.objects.get(name="view-group")
    foreign_group = ServiceUserGroup.objects.get(name="foreign-group")
    return {
        # The parameters of the routes …
        "job_id": done.pk,
        "file_id": file.pk,
        "parent_id": parents[done].pk,
        "update_id": update.pk,
        "service_id": here.pk,
        "panel_id": panel.pk,
        "audit_id": audit.pk,
        "access_id": access.pk,
        "user_id": owner.pk,
        "profile_id": owner.profile.pk,
        "permission_id": right.pk,
        "group_id": group.pk,
        "role_id": UserRole.objects.get(name="viewer").pk,
        # … and what rows name.
        "job": done.pk,
        "waiting job": waiting.pk,
        "failed job": failed.pk,
        "job name": done.name,
        "parent name": parents[done].name,
        "waiting parent": parents[waiting].pk,
        "failed parent": parents[failed].pk,
        "update": update.pk,
        "update text": update.message,
        "file": file.pk,
        "file name": file.filename,
        "password": "owners-password",
        "credential": credential.pk,
        "audit": audit.pk,
        "access": access.pk,
        "quota": access.quota_limit,
        "configuration": configuration.pk,
        "right": right.pk,
        "foreign right": foreign_right.pk,
        "group": group.pk,
        "group name": group.name,
        "foreign group": foreign_group.pk,
        "profile": owner.profile.pk,
        "auth group": Group.objects.create(name="auth-group").pk,
        "member": group.memberships.get().user_id,
        "unheld role": UserRole.objects.create(name="formerly_user").pk,
        "role admin": UserRole.objects.get(name="admin").pk,
        "role": UserRole.objects.get(name="viewer").pk,
        "here": here.pk,
        "elsewhere": elsewhere.pk,
        "panel": panel.pk,
        "other panel": other_panel.pk,
        "institution": owner.profile.institution,
        "foreign member": foreign_group.memberships.get().user_id,
        "email": owner.email,
        "metric of the machine": "memory_total",
        "check of the machine": "threshold",
    }


def _things_of_the_barred(user: User, here: ImputationService) -> dict[str, Any]:
    """Jobs of somebody who may not submit to their service any more."""
    panel = here.reference_panels.get()
    waiting = make_job(user, panel, status="pending")
    failed = make_job(user, panel, status="failed")
    JobWork.objects.create(job=waiting, phase="submit", next_poll_at=timezone.now())
    JobWork.objects.create(job=failed, phase="done")
    return {
        "waiting job of the barred": waiting.pk,
        "failed job of the barred": failed.pk,
        "failed parent of the barred": _parent_of(failed, name="barreds-study").pk,
    }


def _parent_of(job: ImputationJob, *, name: str) -> ParentJob:
    parent = ParentJob.objects.create(user=job.user, name=name)
    ChildJob.objects.create(job=job, parent=parent, position=0)
    return parent


def _genotypes(owner: User, viewer: User) -> dict[str, Any]:
    """Files that people keep: one at rest, one with a check at work, one of a viewer."""
    files = [
        GenotypeFile.objects.create(
            user=user,
            name=f"owners-{name}.vcf.gz",
            path=_written(f"genotypes/{name}", name.encode()),
            size=len(name),
            sha256="0" * 64,
            format="vcf.gz",
            first_look=Report(
                file=name, stage=1, facts=Facts(format=FileFormat.VCF, compression="bgzf", size=1)
            ).to_json(),
        )
        for user, name in ((owner, "genotype"), (owner, "busy"), (viewer, "viewers"))
    ]
    at_rest, busy, of_a_viewer = files
    run = FileRun.objects.create(file=busy, kind="check", parameters={"panels": []})
    return {
        "genotype_id": at_rest.pk,
        "genotype name": at_rest.name,
        "busy genotype": busy.pk,
        "genotype of a viewer": of_a_viewer.pk,
        "run_id": run.pk,
        "run": str(run.pk),
    }


def _plans(owner: User, barred: User, values: dict[str, Any]) -> dict[str, Any]:
    """Templates, batches and schedules, the owner's all but one."""
    settings = {"service_id": values["here"], "reference_panel_id": values["panel"]}
    private, shared = (
        JobTemplate.objects.create(user=owner, name=name, is_public=is_public, **settings)
        for name, is_public in (("owners-template", False), ("owners-shared-template", True))
    )
    batches = [
        JobBatch.objects.create(user=user, name=name)
        for user, name in (
            (owner, "owners-failed-batch"),
            (owner, "owners-waiting-batch"),
            (barred, "batch-of-the-barred"),
        )
    ]
    for batch, job in zip(
        batches, ("failed job", "waiting job", "failed job of the barred"), strict=True
    ):
        BatchJob.objects.create(batch=batch, job_id=values[job], position=1)
    tomorrow = timezone.now() + timedelta(days=1)
    schedule, paused = (
        ScheduledJob.objects.create(
            user=owner,
            name=f"owners-{name}-schedule",
            template=private,
            genotype_file_id=values["genotype_id"],
            schedule_type="daily",
            scheduled_time=tomorrow,
            is_active=is_active,
            next_execution=tomorrow if is_active else None,
        )
        for name, is_active in (("daily", True), ("paused", False))
    )
    execution = ScheduledExecution.objects.create(
        schedule=schedule,
        due_at=timezone.now(),
        executed_at=timezone.now(),
        outcome="refused",
        message="owners-refusal",
    )
    return {
        "template_id": private.pk,
        "template name": private.name,
        "shared template": shared.pk,
        "shared template name": shared.name,
        "batch_id": batches[0].pk,
        "batch name": batches[0].name,
        "waiting batch": batches[1].pk,
        "failed batch of the barred": batches[2].pk,
        "schedule_id": schedule.pk,
        "schedule name": schedule.name,
        "paused schedule": paused.pk,
        "execution text": execution.message,
        "tomorrow": tomorrow.isoformat(),
    }


def _written(path: str, content: bytes) -> str:
    file = Path(settings.DATA_ROOT) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return path


def _session(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}
