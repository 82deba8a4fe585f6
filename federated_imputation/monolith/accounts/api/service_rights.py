"""Rights at single services: permissions, groups and their members.

Whoever manages rights by role, or holds the right `admin` at the service, hands out its rights,
`admin` included. What belongs to another service does not exist below this one's path: 404.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

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
from apps.shared.api.bounds import LARGEST_INTEGER
from apps.shared.api.moments import Moment
from apps.shared.api.numbers import Id
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import SignedIn
from federated_imputation.monolith.accounts import operations, queries
from federated_imputation.monolith.accounts.api.refusals import answering_refusals
from federated_imputation.monolith.accounts.models import (
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
)
from federated_imputation.monolith.accounts.operations.reads import record_read
from federated_imputation.monolith.accounts.rights import Capability

__all__ = [
    "AddMemberView",
    "GroupListView",
    "GroupView",
    "PermissionListView",
    "PermissionView",
    "RemoveMemberView",
]

_Result = TypeVar("_Result")
_NOT_THERE = OpenApiResponse(description="No such service, or none such at this service.")
_INVALID = OpenApiResponse(description="What is wrong, by field.")


class _MayManageRights(SignedIn):
    """Who manages rights by role, or holds the right `admin` at the service of the path."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not super().has_permission(request, view):
            return False
        rights = queries.find_rights(request.user)
        return rights.may(Capability.MANAGE_SERVICE_RIGHTS) or rights.may_at(
            view.kwargs["service_id"], ServicePermission.Kind.ADMIN
        )


class _OfAService(APIView):
    """Below a service's path: 403 for who may not manage its rights, 404 when there is none."""

    permission_classes = [_MayManageRights]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not queries.service_exists(service_id=kwargs["service_id"]):
            raise NotFound

    def record(self, resource_type: str, ids: Iterable[int]) -> None:
        """Audit which rights of others were shown."""
        record_read(
            resource_type=resource_type,
            ids=ids,
            user_id=caller_id(self.request),
            origin=origin_of(self.request),
            now=timezone.now(),
        )


class PermissionListView(_OfAService, ListAPIView[ServicePermission]):
    """The permissions that users have at a service, expired ones too, and the way to give one."""

    class PermissionInput(Body):
        user = Id(max_value=LARGEST_INTEGER, source="user_id")
        permission = serializers.ChoiceField(choices=ServicePermission.Kind.choices)
        expires_at = Moment(
            required=False, allow_null=True, help_text="In the future; null for never."
        )
        is_active = serializers.BooleanField(required=False)

    class Permission(serializers.Serializer[ServicePermission]):
        id = serializers.IntegerField()
        service = serializers.IntegerField(source="service_id")
        user = serializers.IntegerField(source="user_id")
        username = serializers.CharField(source="user.username")
        permission = serializers.ChoiceField(choices=ServicePermission.Kind.choices)
        granted_by = serializers.IntegerField(source="granted_by_id", allow_null=True)
        granted_at = serializers.DateTimeField()
        expires_at = serializers.DateTimeField(allow_null=True)
        is_active = serializers.BooleanField()

    serializer_class = Permission

    @extend_schema(summary="The permissions that users have at a service")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().get(request, *args, **kwargs)
        self.record("service_permission", (shown["id"] for shown in answer.data["results"]))
        return answer

    def get_queryset(self) -> QuerySet[ServicePermission]:
        return queries.permissions_at(service_id=self.kwargs["service_id"])

    @extend_schema(
        summary="Give a user a permission at a service",
        request=PermissionInput,
        responses={201: Permission, 400: _INVALID, 404: _NOT_THERE},
    )
    def post(self, request: Request, service_id: int) -> Response:
        given = self.PermissionInput(data=request.data)
        given.is_valid(raise_exception=True)
        granted = _asked(
            request,
            operations.grant_permission,
            service_id=service_id,
            values=given.validated_data,
        )
        return Response(self.Permission(granted).data, status=201)


class PermissionView(_OfAService):
    """One permission at a service."""

    @extend_schema(
        summary="One permission", responses={200: PermissionListView.Permission, 404: _NOT_THERE}
    )
    def get(self, request: Request, service_id: int, permission_id: int) -> Response:
        found = queries.permissions_at(service_id=service_id).filter(pk=permission_id).first()
        if found is None:
            raise NotFound
        self.record("service_permission", [found.pk])
        return Response(PermissionListView.Permission(found).data)

    @extend_schema(
        summary="Change a permission",
        request=PermissionListView.PermissionInput,
        responses={200: PermissionListView.Permission, 400: _INVALID, 404: _NOT_THERE},
    )
    def put(self, request: Request, service_id: int, permission_id: int) -> Response:
        return self._change(request, service_id, permission_id, partial=False)

    @extend_schema(
        summary="Change fields of a permission",
        request=PermissionListView.PermissionInput(partial=True),
        responses={200: PermissionListView.Permission, 400: _INVALID, 404: _NOT_THERE},
    )
    def patch(self, request: Request, service_id: int, permission_id: int) -> Response:
        return self._change(request, service_id, permission_id, partial=True)

    @extend_schema(summary="Take a permission away", responses={204: None, 404: _NOT_THERE})
    def delete(self, request: Request, service_id: int, permission_id: int) -> Response:
        _asked(
            request,
            operations.revoke_permission,
            service_id=service_id,
            permission_id=permission_id,
        )
        return Response(status=204)

    def _change(
        self, request: Request, service_id: int, permission_id: int, *, partial: bool
    ) -> Response:
        given = PermissionListView.PermissionInput(data=request.data, partial=partial)
        given.is_valid(raise_exception=True)
        changed = _asked(
            request,
            operations.change_permission,
            service_id=service_id,
            permission_id=permission_id,
            values=given.validated_data,
        )
        return Response(PermissionListView.Permission(changed).data)


class GroupListView(_OfAService, ListAPIView[ServiceUserGroup]):
    """The groups of a service, whose members share permissions, and the way to make one."""

    class GroupInput(Body):
        name = serializers.CharField(max_length=100)
        description = serializers.CharField(required=False, allow_blank=True)
        is_active = serializers.BooleanField(required=False)
        permissions = serializers.ListField(
            child=Id(),
            required=False,
            help_text="Ids of permissions of this service; they replace those that it had.",
        )

    class Group(serializers.Serializer[ServiceUserGroup]):
        class Member(serializers.Serializer[ServiceUserGroupMembership]):
            user = serializers.IntegerField(source="user_id")
            username = serializers.CharField(source="user.username")
            joined_at = serializers.DateTimeField()
            expires_at = serializers.DateTimeField(allow_null=True)
            added_by = serializers.IntegerField(source="added_by_id", allow_null=True)

        id = serializers.IntegerField()
        service = serializers.IntegerField(source="service_id")
        name = serializers.CharField()
        description = serializers.CharField()
        is_active = serializers.BooleanField()
        permissions = serializers.SerializerMethodField()
        members = Member(many=True, source="memberships.all")
        created_by = serializers.IntegerField(source="created_by_id", allow_null=True)
        created_at = serializers.DateTimeField()
        updated_at = serializers.DateTimeField()

        def get_permissions(self, group: ServiceUserGroup) -> list[int]:
            return [permission.pk for permission in group.permissions.all()]

    serializer_class = Group

    @extend_schema(summary="The groups of a service")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().get(request, *args, **kwargs)
        self.record("service_group", (shown["id"] for shown in answer.data["results"]))
        return answer

    def get_queryset(self) -> QuerySet[ServiceUserGroup]:
        return queries.groups_at(service_id=self.kwargs["service_id"])

    @extend_schema(
        summary="Make a group at a service",
        request=GroupInput,
        responses={201: Group, 400: _INVALID, 404: _NOT_THERE},
    )
    def post(self, request: Request, service_id: int) -> Response:
        given = self.GroupInput(data=request.data)
        given.is_valid(raise_exception=True)
        made = _asked(
            request, operations.create_group, service_id=service_id, values=given.validated_data
        )
        return Response(self.Group(made).data, status=201)


class GroupView(_OfAService):
    """One group of a service."""

    @extend_schema(
        summary="One group with its members", responses={200: GroupListView.Group, 404: _NOT_THERE}
    )
    def get(self, request: Request, service_id: int, group_id: int) -> Response:
        found = queries.groups_at(service_id=service_id).filter(pk=group_id).first()
        if found is None:
            raise NotFound
        self.record("service_group", [found.pk])
        return Response(GroupListView.Group(found).data)

    @extend_schema(
        summary="Change a group",
        request=GroupListView.GroupInput,
        responses={200: GroupListView.Group, 400: _INVALID, 404: _NOT_THERE},
    )
    def put(self, request: Request, service_id: int, group_id: int) -> Response:
        return self._edit(request, service_id, group_id, partial=False)

    @extend_schema(
        summary="Change fields of a group",
        request=GroupListView.GroupInput(partial=True),
        responses={200: GroupListView.Group, 400: _INVALID, 404: _NOT_THERE},
    )
    def patch(self, request: Request, service_id: int, group_id: int) -> Response:
        return self._edit(request, service_id, group_id, partial=True)

    @extend_schema(summary="Delete a group", responses={204: None, 404: _NOT_THERE})
    def delete(self, request: Request, service_id: int, group_id: int) -> Response:
        _asked(request, operations.delete_group, service_id=service_id, group_id=group_id)
        return Response(status=204)

    def _edit(self, request: Request, service_id: int, group_id: int, *, partial: bool) -> Response:
        given = GroupListView.GroupInput(data=request.data, partial=partial)
        given.is_valid(raise_exception=True)
        edited = _asked(
            request,
            operations.edit_group,
            service_id=service_id,
            group_id=group_id,
            values=given.validated_data,
        )
        return Response(GroupListView.Group(edited).data)


class AddMemberView(_OfAService):
    """Puts a user into a group, or changes until when they are in it."""

    class AddMemberInput(Body):
        user_id = Id(max_value=LARGEST_INTEGER)
        expires_at = Moment(
            required=False,
            allow_null=True,
            default=None,
            help_text="In the future; null for never.",
        )

    class ChangedGroup(serializers.Serializer[Any]):
        message = serializers.CharField()
        group = GroupListView.Group()

    @extend_schema(
        request=AddMemberInput,
        responses={200: ChangedGroup, 400: _INVALID, 404: _NOT_THERE},
    )
    def post(self, request: Request, service_id: int, group_id: int) -> Response:
        given = self.AddMemberInput(data=request.data)
        given.is_valid(raise_exception=True)
        group = _asked(
            request,
            operations.add_member,
            service_id=service_id,
            group_id=group_id,
            **given.validated_data,
        )
        output = {"message": "User added to the group", "group": group}
        return Response(self.ChangedGroup(output).data)


class RemoveMemberView(_OfAService):
    """Takes a user out of a group; 404 for one who is not in it."""

    class RemoveMemberInput(Body):
        user_id = Id(max_value=LARGEST_INTEGER)

    @extend_schema(
        request=RemoveMemberInput,
        responses={200: AddMemberView.ChangedGroup, 400: _INVALID, 404: _NOT_THERE},
    )
    def post(self, request: Request, service_id: int, group_id: int) -> Response:
        given = self.RemoveMemberInput(data=request.data)
        given.is_valid(raise_exception=True)
        group = _asked(
            request,
            operations.remove_member,
            service_id=service_id,
            group_id=group_id,
            **given.validated_data,
        )
        output = {"message": "User removed from the group", "group": group}
        return Response(AddMemberView.ChangedGroup(output).data)


def _asked(request: Request, operation: Callable[..., _Result], **what: Any) -> _Result:
    """What `operation` returns when the caller asks for it; its refusals as answers."""
    with answering_refusals():
        return operation(
            **what,
            by_user_id=caller_id(request),
            origin=origin_of(request),
            now=timezone.now(),
        )
