"""The rows and the callers of the walk over a node."""

from datetime import timedelta
from typing import Final

from django.utils import timezone

from apps.node import workspaces
from apps.node.kit_panels import write_kit_panel
from apps.node.models import OutputFile, User
from apps.node.operations.accounts import create_api_token, revoke_api_token
from tests.security.walk import Actor, Scene
from tests.unit.apps.node.conftest import Account, make_account
from tests.unit.apps.node.scenes import finished_job

__all__ = [
    "ADMIN",
    "ADMIN_SESSION",
    "EVERYBODY",
    "IN_FORCE",
    "OWNER",
    "OWNER_SESSION",
    "SESSIONS",
    "build_scene",
]

_NOT_IN_FORCE: Final = frozenset({"nobody", "garbage", "deactivated", "revoked API token"})
OWNER: Final = frozenset({"owner, API token"})
OWNER_SESSION: Final = frozenset({"owner, session"})
ADMIN: Final = frozenset({"admin, API token"})
ADMIN_SESSION: Final = frozenset({"admin, session"})
_STRANGER: Final = frozenset({"stranger, API token", "stranger, session"})
SESSIONS: Final = OWNER_SESSION | ADMIN_SESSION | frozenset({"stranger, session"})
IN_FORCE: Final = OWNER | ADMIN | SESSIONS | _STRANGER
EVERYBODY: Final = IN_FORCE | _NOT_IN_FORCE


def build_scene() -> Scene:
    """A user with a finished and a waiting job, an administrator, and strangers of all kinds."""
    workspaces.uploads_root().mkdir(parents=True)
    write_kit_panel(workspaces.panels_root(), "AFR")
    owner, stranger = make_account("owner"), make_account("stranger")
    admin = make_account("admin", role=User.Role.ADMIN)
    deactivated, revoked = make_account("deactivated"), make_account("revoked")
    User.objects.filter(username="deactivated").update(active=False)
    revoke_api_token(user=revoked.user)
    fields = {"refpanel": "apps@kit-afr@1.0.0", "population": "afr", "build": "hg38"}
    finished = finished_job(owner.submitted(**fields))
    doomed = finished_job(owner.submitted(**fields))  # its files do not come back
    waiting = owner.submitted(**fields)
    file = OutputFile.objects.select_related("output").get(
        output__job=finished, path="qc_report.txt"
    )
    token = create_api_token(user=stranger.user, life=timedelta(days=1), now=timezone.now())
    actors = [
        Actor(name="nobody", refusal=401),
        Actor(name="garbage", headers={"X-Auth-Token": "a.b.c"}, refusal=401),
        _actor("deactivated", deactivated.session_token, refusal=401),
        _actor("revoked API token", revoked.api_token, refusal=401),
        _actor("stranger, API token", token),
        _actor("stranger, session", stranger.session_token),
        *_both("owner", owner),
        *_both("admin", admin),
    ]
    return Scene(
        actors={actor.name: actor for actor in actors},
        sample=frozenset({"nobody", "garbage", "stranger, API token", "owner, session"}),
        values={
            "username": "owner",
            "app": "imputationserver2",
            "key": "apps@kit-afr@1.0.0",
            "chromosome": "20",
            "job_id": finished.pk,
            "doomed": doomed.pk,
            "waiting": waiting.pk,
            "file_hash": file.hash,
            "output_hash": file.output.hash,
            "name": file.path,
            "signed": "not-signed-by-us",
            "owner_mail": owner.user.mail,
            "no_hash": "0" * 64,
            "no_name": "nothing.txt",
        },
    )


def _both(name: str, account: Account) -> list[Actor]:
    return [
        _actor(f"{name}, API token", account.api_token),
        _actor(f"{name}, session", account.session_token),
    ]


def _actor(name: str, token: str, *, refusal: int = 403) -> Actor:
    return Actor(name=name, headers={"X-Auth-Token": token}, refusal=refusal)
