"""Tokens over HTTP: a new pair for a refresh token, an early end, and the public keys."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.contracts.tokens import ACCESS_LIFETIME, MAX_TOKEN_LENGTH, SCHEME
from apps.shared.api.bodies import Body
from apps.shared.api.origin import origin_of
from apps.shared.identity.refusals import InvalidToken
from apps.shared.identity.tokens import BadToken
from federated_imputation.monolith.accounts.api_tokens import is_api_token
from federated_imputation.monolith.accounts.operations.api_tokens import hand_in_api_token
from federated_imputation.monolith.accounts.operations.keys import ensure_keys
from federated_imputation.monolith.accounts.operations.tokens import (
    IssuedTokens,
    refresh_tokens,
    revoke_token,
)
from federated_imputation.monolith.accounts.queries.keys import list_keys

__all__ = [
    "UNCACHED",
    "KeySetView",
    "RefreshTokenView",
    "RevokeTokenView",
    "TokenPair",
    "token_pair",
]

# RFC 6749 5.1: an answer that holds a token is kept nowhere.
UNCACHED = {"Cache-Control": "no-store"}
_KEY_SET_SECONDS = 60


class TokenPair(serializers.Serializer[Any]):
    """What every answer with tokens says (RFC 6749 5.1)."""

    access_token = serializers.CharField(help_text="For the header `Authorization: Bearer …`.")
    refresh_token = serializers.CharField(help_text="Good for one use at `auth/token/refresh/`.")
    token_type = serializers.ChoiceField(choices=[SCHEME])
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")


def token_pair(issued: IssuedTokens) -> dict[str, str | int]:
    """The fields of `TokenPair`."""
    return {
        "access_token": issued.access_token,
        "refresh_token": issued.refresh_token,
        "token_type": SCHEME,
        "expires_in": int(ACCESS_LIFETIME.total_seconds()),
    }


class RefreshTokenView(APIView):
    """A new pair of tokens for a refresh token, which is used up by this.

    A refresh token that was used before ends its login: one of its two users stole it.
    """

    permission_classes = [AllowAny]
    authentication_classes = []

    class RefreshTokenInput(Body):
        refresh_token = serializers.CharField(max_length=MAX_TOKEN_LENGTH)

    @extend_schema(
        request=RefreshTokenInput,
        responses={
            200: TokenPair,
            401: OpenApiResponse(description="The token is not valid, or was used before."),
        },
    )
    def post(self, request: Request) -> Response:
        given = self.RefreshTokenInput(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            issued = refresh_tokens(
                token=given.validated_data["refresh_token"],
                origin=origin_of(request),
                now=timezone.now(),
            )
        except BadToken:
            raise InvalidToken from None
        return Response(TokenPair(token_pair(issued)).data, headers=UNCACHED)


class RevokeTokenView(APIView):
    """Puts a token out of force; whoever holds it may do that (RFC 7009).

    An access token ends alone, a refresh token with its whole login, an API token for good. A
    text that is no token of ours, or not any more, gets the same answer.
    """

    permission_classes = [AllowAny]
    authentication_classes = []

    class RevokeTokenInput(Body):
        token = serializers.CharField(max_length=MAX_TOKEN_LENGTH)

    class RevokeTokenOutput(serializers.Serializer[Any]):
        message = serializers.CharField()

    @extend_schema(request=RevokeTokenInput, responses=RevokeTokenOutput)
    def post(self, request: Request) -> Response:
        given = self.RevokeTokenInput(data=request.data)
        given.is_valid(raise_exception=True)
        token = given.validated_data["token"]
        revoke = hand_in_api_token if is_api_token(token) else revoke_token
        revoke(token=token, origin=origin_of(request), now=timezone.now())
        return Response({"message": "The token is not valid any more."})


class KeySetView(APIView):
    """The public keys that verify tokens, as a JWK set (RFC 7517 5): the newest first."""

    permission_classes = [AllowAny]
    authentication_classes = []

    class KeySet(serializers.Serializer[Any]):
        class PublicKey(serializers.Serializer[Any]):
            kty = serializers.CharField()
            crv = serializers.CharField()
            x = serializers.CharField()
            y = serializers.CharField()
            kid = serializers.CharField()
            use = serializers.CharField()
            alg = serializers.CharField()

        keys = PublicKey(many=True)

    @extend_schema(responses=KeySet)
    def get(self, request: Request) -> Response:
        ensure_keys(now=timezone.now())
        output = self.KeySet({"keys": [key.public_jwk for key in list_keys()]})
        return Response(
            output.data, headers={"Cache-Control": f"public, max-age={_KEY_SET_SECONDS}"}
        )
