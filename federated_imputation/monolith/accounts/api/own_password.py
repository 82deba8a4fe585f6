"""Changing one's own password over HTTP."""

from django.contrib.auth import update_session_auth_hash
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller
from apps.shared.identity.permissions import SignedIn
from federated_imputation.monolith.accounts.api.families import begin_family
from federated_imputation.monolith.accounts.api.refusals import answering_refusals
from federated_imputation.monolith.accounts.api.tokens import UNCACHED, TokenPair, token_pair
from federated_imputation.monolith.accounts.operations.own_password import change_password

__all__ = ["ChangePasswordView"]


class ChangePasswordView(APIView):
    """Gives the caller a new password, and new tokens.

    The session of the request goes on. All other sessions, all tokens and all API tokens end.
    """

    permission_classes = [SignedIn]

    class PasswordChange(Body):
        current_password = serializers.CharField(
            trim_whitespace=False, max_length=4096, write_only=True
        )
        new_password = serializers.CharField(
            trim_whitespace=False, max_length=4096, write_only=True
        )

    class PasswordChanged(TokenPair):
        message = serializers.CharField()

    @extend_schema(
        request=PasswordChange,
        responses={
            200: PasswordChanged,
            400: OpenApiResponse(description="What is wrong, by field."),
        },
    )
    def post(self, request: Request) -> Response:
        given = self.PasswordChange(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            user = change_password(
                **given.validated_data,
                user=caller(request),
                request=request._request,
                origin=origin_of(request),
                now=timezone.now(),
            )
        if request.auth is None:
            update_session_auth_hash(request, user)
        output = {"message": "Password changed", **token_pair(begin_family(request, user))}
        return Response(self.PasswordChanged(output).data, headers=UNCACHED)
