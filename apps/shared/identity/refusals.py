"""The answer to a token that does not let its bearer in."""

from rest_framework import status
from rest_framework.exceptions import APIException

from apps.contracts.tokens import SCHEME

__all__ = ["InvalidToken"]


class InvalidToken(APIException):
    """401 with the challenge of RFC 6750 3.1, which never tells what is wrong with the token.

    It is no `AuthenticationFailed`: of that REST framework makes a 403 wherever the session
    cookie, which has no challenge, is looked at first.
    """

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = "The token is not valid, or not any more."
    default_code = "invalid_token"
    auth_header = f'{SCHEME} realm="api", error="invalid_token"'
