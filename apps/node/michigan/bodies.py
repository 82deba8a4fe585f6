"""How large a request may be, known before its body is read."""

from django.conf import settings
from django.utils import timezone

from apps.node.tokens import TokenRejected, read_token
from apps.shared.api.passing import NO_ROOM
from apps.shared.asgi import BodyAllowance, Refusal, Scope

__all__ = ["no_room", "rule"]

_SMALL = 1024 * 1024
_SUBMIT = "/api/v2/jobs/submit/"
# 503, since clients of the API know that as "not accepted, later".
no_room = Refusal(status=503, answer={"message": NO_ROOM.sentence, "success": False})


async def rule(scope: Scope) -> BodyAllowance:
    """A submission with a token that this node signed may be as large as the setting says.

    Whether the token was revoked is seen later; here it keeps strangers from filling the disk.
    """
    if not scope["path"].startswith(_SUBMIT):
        return _allowance(_SMALL, 413, "The request is too large.")
    token = dict(scope["headers"]).get(b"x-auth-token", b"").decode("latin-1")
    try:
        read_token(token, now=timezone.now())
    except TokenRejected:
        return _allowance(_SMALL, 401, "Unauthorized")
    return _allowance(settings.NODE_UPLOAD_LIMIT_MB * 1024 * 1024, 413, "Upload limit reached.")


def _allowance(limit: int, status: int, message: str) -> BodyAllowance:
    return BodyAllowance(limit=limit, status=status, answer={"message": message, "success": False})
