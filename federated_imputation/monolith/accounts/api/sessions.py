"""Login, logout and who am I."""

from typing import Any

from django.contrib.auth import login, logout
from django.utils import timezone
from django.utils.crypto import salted_hmac
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import SignedIn, in_scope
from apps.shared.identity.sessions import refuse_foreign_origin
from federated_imputation.monolith.accounts.api.families import begin_family, family_of
from federated_imputation.monolith.accounts.api.tokens import UNCACHED, TokenPair, token_pair
from federated_imputation.monolith.accounts.operations import BadCredentials, check_login
from federated_imputation.monolith.accounts.operations.tokens import end_login
from federated_imputation.monolith.accounts.queries import get_user_with_profile

__all__ = ["CurrentUserView", "LoginView", "LogoutView"]


class LoginView(APIView):
    """Starts a session, and a login by token, for a username and password."""

    permission_classes = [AllowAny]
    authentication_classes = []

    class LoginInput(Body):
        username = serializers.CharField()
        password = serializers.CharField(trim_whitespace=False)

    class LoginOutput(TokenPair):
        class LoggedInUser(serializers.Serializer[Any]):
            id = serializers.IntegerField()
            username = serializers.CharField()
            email = serializers.CharField()
            first_name = serializers.CharField()
            last_name = serializers.CharField()

        user = LoggedInUser()
        message = serializers.CharField()

    class LoginRefusal(serializers.Serializer[Any]):
        error = serializers.CharField()

    @extend_schema(
        request=LoginInput,
        responses={200: LoginOutput, 400: LoginRefusal, 401: LoginRefusal},
    )
    def post(self, request: Request) -> Response:
        refuse_foreign_origin(request)  # else a stranger's page could log the visitor in as itself
        given = self.LoginInput(data=request.data)
        if not given.is_valid():
            return Response({"error": "Username and password are required"}, status=400)
        try:
            user = check_login(
                **given.validated_data, origin=origin_of(request), now=timezone.now()
            )
        except BadCredentials:
            return Response({"error": "Invalid credentials"}, status=401)
        login(request, user)
        issued = begin_family(request, user)
        output = {"user": user, "message": "Login successful", **token_pair(issued)}
        return Response(self.LoginOutput(output).data, headers=UNCACHED)


class LogoutView(APIView):
    """Ends this login: its session and its tokens, whichever of them the request carries.

    API tokens stay: they belong to scripts, and each is revoked by itself.
    """

    permission_classes = [SignedIn]

    class LogoutInput(Body):
        everywhere = serializers.BooleanField(
            default=False, help_text="End every session and every login by token of this user."
        )

    class LogoutOutput(serializers.Serializer[Any]):
        message = serializers.CharField()

    @extend_schema(request=LogoutInput, responses=LogoutOutput)
    def post(self, request: Request) -> Response:
        given = self.LogoutInput(data=request.data)
        given.is_valid(raise_exception=True)
        end_login(
            user_id=caller_id(request),
            family=family_of(request),
            everywhere=given.validated_data["everywhere"],
            origin=origin_of(request),
            now=timezone.now(),
        )
        if request.auth is None:
            logout(request)
        return Response({"message": "Logout successful"})


class CurrentUserView(APIView):
    """The user of the session, at two paths that answer the same."""

    permission_classes = [in_scope("account")]

    class CurrentUserOutput(serializers.Serializer[Any]):
        class CurrentUser(serializers.Serializer[Any]):
            class CurrentProfile(serializers.Serializer[Any]):
                role = serializers.CharField(source="role.name", default=None, allow_null=True)
                organization = serializers.CharField()
                department = serializers.CharField()
                position = serializers.CharField()
                research_area = serializers.CharField()
                institution = serializers.CharField()
                country = serializers.CharField()

            id = serializers.IntegerField()
            username = serializers.CharField()
            email = serializers.CharField()
            first_name = serializers.CharField()
            last_name = serializers.CharField()
            is_staff = serializers.BooleanField()
            is_superuser = serializers.BooleanField()
            date_joined = serializers.DateTimeField()
            last_login = serializers.DateTimeField(allow_null=True)
            profile = CurrentProfile(allow_null=True)

        user = CurrentUser()
        authenticated = serializers.BooleanField()
        session_id = serializers.CharField(
            help_text="Tells logins apart; it is neither cookie nor token and opens nothing."
        )

    @extend_schema(responses=CurrentUserOutput)
    def get(self, request: Request) -> Response:
        user = get_user_with_profile(user_id=caller_id(request))
        login_name = str(request.auth or request.session.session_key or "")
        output = {
            "user": user,
            "authenticated": True,
            "session_id": salted_hmac("accounts.session_id", login_name).hexdigest()[:32],
        }
        return Response(self.CurrentUserOutput(output).data)
