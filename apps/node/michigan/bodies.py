"""How large a request may be, known before its body is read."""

from django.conf import settings
from django.utils import timezone

from apps.node.tokens import TokenRejected, read_token
from apps.shared.asgi import BodyAllowance, Scope

__all__ = ["rule"]

_SMALL = 1024 * 1024
_SUBMIT = "/api/v2/jobs/submit/"


def rule(scope: Scope) -> BodyAllowance:
    """A submission with a token that this node signed may be as large as the setting says.

    Whether the token was revoked is seen later; here it keeps strangers from filling the disk.
    """
    if not scope["path"].startswith(_SUBMIT):
        return BodyAllowance(limit=_SMALL, status=413, message="The request is too large.")
    token = dict(scope["headers"]).get(b"x-auth-token", b"").decode("latin-1")
    try:
        read_token(token, now=timezone.now())
    except TokenRejected:
        return BodyAllowance(limit=_SMALL, status=401, message="Unauthorized")
    limit = settings.NODE_UPLOAD_LIMIT_MB * 1024 * 1024
    return BodyAllowance(limit=limit, status=413, message="Upload limit reached.")
