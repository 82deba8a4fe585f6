"""`Authorization: Bearer …`: an access token of a login, or the API token of a script."""

from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.contracts.tokens import CREDENTIALS_HEADER, bearer_token
from apps.shared.identity.grants import AccessGrant, ApiTokenGrant
from apps.shared.identity.refusals import InvalidToken
from apps.shared.identity.tokens import BadToken
from federated_imputation.monolith.accounts.operations.api_tokens import note_use
from federated_imputation.monolith.accounts.queries.tokens import find_bearer

__all__ = ["BearerAuthentication"]


class BearerAuthentication(BaseAuthentication):
    """The user of the token; `request.auth` says what kind it was.

    It is listed after the session, which leaves a request with such a header to this class: with
    no credentials at all the answer then stays the 403 of the legacy system.
    """

    def authenticate(self, request: Request) -> tuple[User, AccessGrant | ApiTokenGrant] | None:
        """Raises:
        InvalidToken: There is a token, and it is not in force; a cookie beside it changes nothing.
        """
        token = bearer_token(request.headers.get(CREDENTIALS_HEADER, ""))
        if token is None:
            return None
        now = timezone.now()
        try:
            bearer = find_bearer(token=token, now=now)
        except BadToken:
            raise InvalidToken from None
        if isinstance(bearer.grant, ApiTokenGrant):
            note_use(token_id=bearer.grant.token_id, last_used_at=bearer.last_used_at, now=now)
        return bearer.user, bearer.grant


class _BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "federated_imputation.monolith.accounts.authentication.BearerAuthentication"
    name = "bearerToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token from `/api/auth/login/`, or an API token (`fip_…`).",
        }
