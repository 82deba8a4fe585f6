"""Access of users to services: one's own for everybody, that of others for those who manage it."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.bounds import LARGEST_INTEGER
from apps.shared.api.filters import Filters
from apps.shared.api.numbers import Id
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import SignedIn, in_scope
from federated_imputation.monolith.accounts import queries
from federated_imputation.monolith.accounts.api.refusals import answering_refusals
from federated_imputation.monolith.accounts.models import UserServiceAccess
from federated_imputation.monolith.accounts.operations.reads import record_read
from federated_imputation.monolith.accounts.operations.service_access import (
    change_access,
    grant_access,
    revoke_access,
)

__all__ = ["UserAccessListView", "UserAccessView"]

_INVALID = OpenApiResponse(description="What is wrong, by field.")
_FORBIDDEN = OpenApiResponse(description="The caller may not write access to this service.")
_NOT_THERE = OpenApiResponse(description="No such row, or not one that the caller may see.")
_READER = in_scope("account")


class _Accessing(BasePermission):
    """Signed in; to read also scope `account:read`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        who = _READER if request.method in SAFE_METHODS else SignedIn
        return who().has_permission(request, view)


class AccessFields(Body):
    """What can be written of a row; a field that is left out stays as it is."""

    has_access = serializers.BooleanField(
        required=False, help_text="False bars the user from sending jobs, whatever the role."
    )
    quota_limit = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=LARGEST_INTEGER,
        help_text="How many jobs the user may send there altogether; null for no limit.",
    )
    api_key = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=8192,
        write_only=True,
        help_text="The user's token at the service; kept encrypted, never answered. "
        "Empty forgets it.",
    )


class NewAccess(AccessFields):
    user = Id(max_value=LARGEST_INTEGER, source="user_id")
    service = Id(source="service_id")


class AccessEdit(AccessFields):
    user = Id(max_value=LARGEST_INTEGER, source="user_id", required=False)
    service = Id(source="service_id", required=False)


class UserAccessListView(ListAPIView[UserServiceAccess]):
    """The caller's own accesses to services, and the way to give somebody one."""

    permission_classes = [_Accessing]

    class AccessFilters(Filters):
        managed = serializers.BooleanField(
            required=False,
            default=False,
            help_text="The rows that the caller may write, instead of the caller's own.",
        )
        user = Id(max_value=LARGEST_INTEGER, required=False, source="user_id")
        service = Id(required=False, source="service_id")

    class UserAccess(serializers.Serializer[UserServiceAccess]):
        id = serializers.IntegerField()
        user = serializers.IntegerField(source="user_id")
        username = serializers.CharField(source="user.username")
        service = serializers.IntegerField(source="service_id")
        service_name = serializers.CharField(source="service.name")
        has_access = serializers.BooleanField()
        quota_limit = serializers.IntegerField(allow_null=True)
        quota_used = serializers.IntegerField()
        last_used = serializers.DateTimeField(allow_null=True)
        created_at = serializers.DateTimeField()
        updated_at = serializers.DateTimeField()

    serializer_class = UserAccess

    @extend_schema(
        summary="The caller's own accesses to services, or those that the caller may write",
        parameters=[AccessFilters],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().get(request, *args, **kwargs)
        _record(request, answer.data["results"])
        return answer

    @extend_schema(
        summary="Give a user access to a service, bar them from it, or limit them there",
        request=NewAccess,
        responses={201: UserAccess, 400: _INVALID, 403: _FORBIDDEN},
    )
    def post(self, request: Request) -> Response:
        given = NewAccess(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            access = grant_access(
                values=given.validated_data,
                by=queries.find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(self.UserAccess(access).data, status=201)

    def get_queryset(self) -> QuerySet[UserServiceAccess]:
        filters = self.AccessFilters.of(self.request)
        if filters.pop("managed"):
            return queries.managed_access(queries.find_rights(self.request.user), **filters)
        return queries.service_access_of(user_id=caller_id(self.request)).filter(**filters)


class UserAccessView(APIView):
    """One row of access: whether, and how much, a user may use a service."""

    permission_classes = [_Accessing]

    @extend_schema(
        summary="One access of a user to a service",
        responses={200: UserAccessListView.UserAccess, 404: _NOT_THERE},
    )
    def get(self, request: Request, access_id: int) -> Response:
        access = queries.seen_access(queries.find_rights(request.user)).filter(pk=access_id).first()
        if access is None:
            raise NotFound
        shown = UserAccessListView.UserAccess(access).data
        _record(request, [shown])
        return Response(shown)

    @extend_schema(
        summary="Change whether, and how much, a user may use a service",
        request=AccessEdit,
        responses={
            200: UserAccessListView.UserAccess,
            400: _INVALID,
            403: _FORBIDDEN,
            404: _NOT_THERE,
        },
    )
    def patch(self, request: Request, access_id: int) -> Response:
        given = AccessEdit(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            access = change_access(
                access_id,
                values=given.validated_data,
                by=queries.find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(UserAccessListView.UserAccess(access).data)

    @extend_schema(
        summary="Delete a row of access with the user's token there",
        responses={204: None, 403: _FORBIDDEN, 404: _NOT_THERE},
    )
    def delete(self, request: Request, access_id: int) -> Response:
        with answering_refusals():
            revoke_access(
                access_id,
                by=queries.find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(status=204)


def _record(request: Request, shown: list[dict[str, Any]]) -> None:
    """Audit which accesses of others were shown."""
    record_read(
        resource_type="service_access",
        ids=[access["id"] for access in shown if access["user"] != caller_id(request)],
        user_id=caller_id(request),
        origin=origin_of(request),
        now=timezone.now(),
    )
