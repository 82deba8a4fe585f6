"""Views about accounts and the server; see `job_views` and `download_views` for the rest."""

from datetime import UTC, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Count
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.node import queries
from apps.node.michigan import application
from apps.node.michigan.access import (
    Anyone,
    AnyToken,
    SessionToken,
    TokenAuthentication,
    caller,
)
from apps.node.michigan.shapes import profile_json, user_json
from apps.node.michigan.texts import is_storable
from apps.node.models import User
from apps.node.operations.accounts import create_api_token, log_in, revoke_api_token
from apps.node.pipeline.phasing_programs import installed_phasings
from apps.node.refusals import Refusal
from apps.node.tokens import LONGEST_LIFE, SESSION_LIFE, TokenRejected
from apps.shared.api.origin import origin_of
from apps.shared.limits.passwords import count_password_attempt, remember_success

__all__ = [
    "ApiTokenView",
    "ApplicationNotFound",
    "ApplicationView",
    "CountersView",
    "LoginView",
    "MichiganView",
    "ProfileView",
    "ServerView",
    "TokenVerifyView",
    "UnderMaintenance",
    "refuse_in_maintenance",
    "refuse_unknown_application",
]

_DEFAULT_DAYS: Final = 30
_MAINTENANCE: Final = "This functionality is currently under maintenance."


class ApplicationNotFound(Refusal):
    """The node has one application, and this is not its name."""

    status = 404


class UnderMaintenance(Refusal):
    """The operator lets only administrators work now."""

    status = 503


class ExpirationRefused(Refusal):
    """`expiration` is not a number of days."""


class MichiganView(APIView):
    """Base of all views: tokens are read, and who may is said by each view itself."""

    authentication_classes = [TokenAuthentication]

    @property
    def user(self) -> User:
        """Who calls; for views that let nobody in without a token."""
        known = caller(self.request)
        if known is None:
            raise PermissionDenied
        return known.user


class LoginView(MichiganView):
    permission_classes = [Anyone]

    def post(self, request: Request) -> Response:
        username, address = _text(request, "username"), origin_of(request).address
        count_password_attempt(account=username, address=address)
        result = log_in(username=username, password=_text(request, "password"), now=timezone.now())
        remember_success(account=username, address=address)
        return Response(
            {
                "access_token": result.token,
                "token_type": "Bearer",
                "expires_in": int(SESSION_LIFE.total_seconds()),
                "username": result.user.username,
                "roles": [result.user.role],
            }
        )


class TokenVerifyView(MichiganView):
    permission_classes = [Anyone]

    def post(self, request: Request) -> Response:
        invalid = Response({"valid": False, "message": "Invalid API Token."})
        try:
            user, claims = queries.get_token_owner(_text(request, "token"), now=timezone.now())
        except TokenRejected:
            return invalid
        if claims.token_type != "API_TOKEN":  # noqa: S105 - the kind of token, not one
            return invalid
        return Response(
            {
                "valid": True,
                "message": f"API Token was created by {user.username} and is valid.",
                "username": user.username,
                "name": user.full_name,
                "mail": user.mail,
                "expire": claims.expires_at.astimezone(UTC).isoformat(timespec="milliseconds"),
            }
        )


class ApiTokenView(MichiganView):
    """Create and revoke the caller's API token; the name in the path is ignored."""

    permission_classes = [SessionToken]

    def post(self, request: Request, username: str) -> Response:
        life = _life(request.query_params.get("expiration", str(_DEFAULT_DAYS)))
        token = create_api_token(user=self.user, life=life, now=timezone.now())
        return Response(
            {
                "success": True,
                "message": "Creation successfull.",
                "token": token,
                "type": 0,
                "time": 0,
            }
        )

    def delete(self, request: Request, username: str) -> Response:
        revoke_api_token(user=self.user)
        return Response({"success": True, "message": "Deletion successfull.", "type": 0, "time": 0})


class ProfileView(MichiganView):
    permission_classes = [AnyToken]

    def get(self, request: Request, username: str) -> Response:
        return Response(profile_json(self.user, now=timezone.now()))


class ServerView(MichiganView):
    permission_classes = [Anyone]

    def get(self, request: Request) -> Response:
        known = caller(request)
        maintenance = queries.in_maintenance()
        body: dict[str, Any] = {
            "name": settings.NODE_TITLE,
            "background": "#343a40",
            "foreground": "navbar-dark",
            "footer": "",
            "emailRequired": False,
            "userEmailDescription": "",
            "userWithoutEmailDescription": "",
            "oauth": [],
            "apps": [],
            "loggedIn": known is not None,
            "navigation": [{"id": "home", "name": "Home", "link": "/", "items": []}],
            "maintenace": maintenance,  # spelt so by Cloudgene, and read so by its clients
            "maintenaceMessage": _MAINTENANCE if maintenance else "",
        }
        if known is not None:
            body |= {
                "user": user_json(known.user),
                "apps": [
                    {
                        "id": application.APPLICATION_ID,
                        "name": application.NAME,
                        "version": application.VERSION,
                    }
                ],
                "deprecatedApps": [],
                "experimentalApps": [],
            }
        return Response(body)


class CountersView(MichiganView):
    permission_classes = [Anyone]

    def get(self, request: Request) -> Response:
        users = User.objects.filter(active=True).aggregate(number=Count("pk"))["number"]
        return Response({"complete": {}, "queue": {"size": queries.queue_length()}, "users": users})


class ApplicationView(MichiganView):
    permission_classes = [AnyToken]

    def get(self, request: Request, app: str) -> Response:
        refuse_unknown_application(app)
        refuse_in_maintenance(self.user)
        return Response(
            application.schema(
                queries.panels(), title=settings.NODE_TITLE, phasings=installed_phasings()
            )
        )


def refuse_unknown_application(name: str) -> None:
    """Raises `ApplicationNotFound` when the node has no application of that name."""
    if not application.is_this_application(name):
        raise ApplicationNotFound(f"Application '{name}' not found.")


def refuse_in_maintenance(user: User) -> None:
    """Raises `UnderMaintenance` while the operator lets only administrators work."""
    if not user.is_admin and queries.in_maintenance():
        raise UnderMaintenance(_MAINTENANCE)


def _text(request: Request, name: str) -> str:
    value = request.data.get(name, "") if hasattr(request.data, "get") else ""
    return value if isinstance(value, str) and is_storable(value) else ""


def _life(days: str) -> timedelta:
    try:
        number = int(days)
    except ValueError:
        number = 0
    if number == -1:
        return LONGEST_LIFE
    if not 0 < number <= LONGEST_LIFE.days:
        raise ExpirationRefused("The expiration must be a number of days, or -1.")
    return timedelta(days=number)
