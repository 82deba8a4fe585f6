"""Users, for those who manage them."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.filters import Filters
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from federated_imputation.monolith.accounts.api.profiles import ProfileFields, ProfileOutput
from federated_imputation.monolith.accounts.api.refusals import answering_refusals
from federated_imputation.monolith.accounts.operations.reads import record_read
from federated_imputation.monolith.accounts.operations.users import (
    create_user,
    delete_user,
    reset_password,
    toggle_active,
    update_user,
)
from federated_imputation.monolith.accounts.permissions import requires
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.accounts.queries.people import users
from federated_imputation.monolith.accounts.rights import Capability

__all__ = ["ResetPasswordView", "ToggleActiveView", "UserListView", "UserView"]

_INVALID = OpenApiResponse(description="What is wrong, by field.")
_FORBIDDEN = OpenApiResponse(
    description="The user, or a flag, is for superusers only; or it is the caller's own account."
)
_NOT_THERE = OpenApiResponse(description="No such user.")
_CONFLICT = OpenApiResponse(description="Nobody would be left who may manage users.")


class _Username(serializers.CharField):
    """In the form in which Django compares usernames (NFKC), and measured in it."""

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


class _Email(serializers.EmailField):
    def to_internal_value(self, data: Any) -> str:
        return User.objects.normalize_email(super().to_internal_value(data))


class UserEdit(Body):
    """What can be written of a user; a field that is left out stays as it is."""

    username = _Username(max_length=150, validators=[UnicodeUsernameValidator()])
    email = _Email(required=False, allow_blank=True, max_length=254)
    first_name = serializers.CharField(required=False, allow_blank=True, max_length=150)
    last_name = serializers.CharField(required=False, allow_blank=True, max_length=150)
    is_active = serializers.BooleanField(required=False)
    is_staff = serializers.BooleanField(required=False)
    is_superuser = serializers.BooleanField(required=False)


class UserOutput(serializers.Serializer[User]):
    id = serializers.IntegerField()
    username = serializers.CharField()
    email = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    is_active = serializers.BooleanField()
    is_staff = serializers.BooleanField()
    is_superuser = serializers.BooleanField()
    date_joined = serializers.DateTimeField()
    last_login = serializers.DateTimeField(allow_null=True)
    profile = ProfileOutput(allow_null=True, default=None)


class UserListView(ListAPIView[User]):
    """All users by id, and the way to make one."""

    permission_classes = [requires(Capability.MANAGE_USERS)]
    serializer_class = UserOutput

    class UserFilters(Filters):
        search = serializers.CharField(
            required=False, help_text="A part of the username, the address or a name."
        )
        is_active = serializers.BooleanField(required=False, allow_null=True, default=None)

    class NewUser(UserEdit):
        password = serializers.CharField(trim_whitespace=False, max_length=4096, write_only=True)
        password_confirm = serializers.CharField(
            trim_whitespace=False, max_length=4096, write_only=True
        )
        profile = ProfileFields(required=False, allow_null=True)

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            if attrs.pop("password_confirm") != attrs["password"]:
                raise serializers.ValidationError({"password_confirm": ["The passwords differ."]})
            return attrs

    @extend_schema(summary="All users", parameters=[UserFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().get(request, *args, **kwargs)
        _record(request, answer.data["results"])
        return answer

    @extend_schema(
        summary="Make a user",
        request=NewUser,
        responses={201: UserOutput, 400: _INVALID, 403: _FORBIDDEN},
    )
    def post(self, request: Request) -> Response:
        given = self.NewUser(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = {**given.validated_data}
        with answering_refusals():
            user = create_user(
                password=wanted.pop("password"),
                profile=wanted.pop("profile", None),
                wanted=wanted,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(UserOutput(user).data, status=201)

    def get_queryset(self) -> QuerySet[User]:
        return users(**self.UserFilters.of(self.request))


class UserView(APIView):
    """One user."""

    permission_classes = [requires(Capability.MANAGE_USERS)]

    @extend_schema(summary="One user", responses={200: UserOutput, 404: _NOT_THERE})
    def get(self, request: Request, user_id: int) -> Response:
        user = users().filter(pk=user_id).first()
        if user is None:
            raise NotFound
        shown = UserOutput(user).data
        _record(request, [shown])
        return Response(shown)

    @extend_schema(
        summary="Change a user",
        request=UserEdit,
        responses={
            200: UserOutput,
            400: _INVALID,
            403: _FORBIDDEN,
            404: _NOT_THERE,
            409: _CONFLICT,
        },
    )
    def put(self, request: Request, user_id: int) -> Response:
        return self._update(request, user_id)

    @extend_schema(
        summary="Change fields of a user",
        request=UserEdit,
        responses={
            200: UserOutput,
            400: _INVALID,
            403: _FORBIDDEN,
            404: _NOT_THERE,
            409: _CONFLICT,
        },
    )
    def patch(self, request: Request, user_id: int) -> Response:
        return self._update(request, user_id)

    @extend_schema(
        summary="Delete a user with all that is theirs",
        responses={204: None, 403: _FORBIDDEN, 404: _NOT_THERE, 409: _CONFLICT},
    )
    def delete(self, request: Request, user_id: int) -> Response:
        with answering_refusals():
            delete_user(
                user_id,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(status=204)

    def _update(self, request: Request, user_id: int) -> Response:
        given = UserEdit(data=request.data, partial=request.method == "PATCH")
        given.is_valid(raise_exception=True)
        with answering_refusals():
            user = update_user(
                user_id,
                wanted=given.validated_data,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(UserOutput(user).data)


class ResetPasswordView(APIView):
    """Gives a user another password; what was opened with the old one ends."""

    permission_classes = [requires(Capability.MANAGE_USERS)]

    class PasswordReset(Body):
        new_password = serializers.CharField(
            trim_whitespace=False, max_length=4096, write_only=True
        )

    class PasswordWasReset(serializers.Serializer[Any]):
        message = serializers.CharField()

    @extend_schema(
        request=PasswordReset,
        responses={200: PasswordWasReset, 400: _INVALID, 403: _FORBIDDEN, 404: _NOT_THERE},
    )
    def post(self, request: Request, user_id: int) -> Response:
        given = self.PasswordReset(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            reset_password(
                user_id,
                new_password=given.validated_data["new_password"],
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response({"message": "Password reset"})


class ToggleActiveView(APIView):
    """Deactivates an active user, activates one who is not."""

    permission_classes = [requires(Capability.MANAGE_USERS)]

    class Toggled(serializers.Serializer[Any]):
        message = serializers.CharField()
        is_active = serializers.BooleanField()

    @extend_schema(
        request=None,
        responses={200: Toggled, 403: _FORBIDDEN, 404: _NOT_THERE, 409: _CONFLICT},
    )
    def post(self, request: Request, user_id: int) -> Response:
        with answering_refusals():
            user = toggle_active(
                user_id,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        word = "activated" if user.is_active else "deactivated"
        return Response({"message": f"User {word}", "is_active": user.is_active})


def _record(request: Request, shown: list[dict[str, Any]]) -> None:
    """Audit which other users were shown."""
    record_read(
        resource_type="user",
        ids=[user["id"] for user in shown if user["id"] != caller_id(request)],
        user_id=caller_id(request),
        origin=origin_of(request),
        now=timezone.now(),
    )
