"""The caller's own API tokens, for scripts."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller
from apps.shared.identity.permissions import SCOPES, SignedIn
from federated_imputation.monolith.accounts.api.refusals import answering_refusals
from federated_imputation.monolith.accounts.api.tokens import UNCACHED
from federated_imputation.monolith.accounts.models import ApiToken
from federated_imputation.monolith.accounts.operations.api_tokens import (
    create_api_token,
    revoke_api_token,
)
from federated_imputation.monolith.accounts.queries.tokens import live_api_tokens

__all__ = ["ApiTokenListView", "ApiTokenView"]


class ApiTokenOutput(serializers.Serializer[ApiToken]):
    """What is known of a token; the token itself is shown once, when it is made."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The first characters of the token.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")


class ApiTokenListView(ListAPIView[ApiToken]):
    """The caller's API tokens, and the way to make one."""

    permission_classes = [SignedIn]
    serializer_class = ApiTokenOutput

    class NewApiToken(Body):
        name = serializers.CharField(max_length=100, help_text="What the token is for.")
        scopes = serializers.ListField(
            child=serializers.ChoiceField(choices=SCOPES),
            min_length=1,
            max_length=len(SCOPES),
            help_text="Reading and writing are apart: a script that does both needs both.",
        )
        expires_in_days = serializers.IntegerField(min_value=1, max_value=366, default=90)

    class CreatedApiToken(ApiTokenOutput):
        token = serializers.CharField(help_text="Shown now and never again.")

    @extend_schema(
        request=NewApiToken,
        responses={
            201: CreatedApiToken,
            400: OpenApiResponse(description="What is wrong, by field."),
            409: OpenApiResponse(description="The caller has as many as one may have."),
        },
    )
    def post(self, request: Request) -> Response:
        """A new API token of the caller.

        A script sends it as `Authorization: Bearer fip_…`. It may do what its user may, within
        its scopes, and nothing with logins, passwords or API tokens. It ends by itself, by
        revocation, with a new password and when its user is deactivated.
        """
        given = self.NewApiToken(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            made = create_api_token(
                **given.validated_data,
                user=caller(request),
                origin=origin_of(request),
                now=timezone.now(),
            )
        output = {**ApiTokenOutput(made.row).data, "token": made.token}
        return Response(output, status=201, headers=UNCACHED)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The caller's API tokens that are in force, the newest first."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ApiToken]:
        return live_api_tokens(user=caller(self.request), now=timezone.now())


class ApiTokenView(APIView):
    """One API token of the caller."""

    permission_classes = [SignedIn]

    @extend_schema(responses={204: None, 404: OpenApiResponse(description="No such token.")})
    def delete(self, request: Request, token_id: int) -> Response:
        """Put the token out of force at once."""
        with answering_refusals():
            revoke_api_token(
                user=caller(request),
                token_id=token_id,
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(status=204)
