"""Roles, for those who manage them."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.api.refusals import answering_refusals
from federated_imputation.monolith.accounts.models import UserRole
from federated_imputation.monolith.accounts.operations.roles import (
    create_role,
    delete_role,
    update_role,
)
from federated_imputation.monolith.accounts.permissions import requires
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.accounts.queries.people import roles
from federated_imputation.monolith.accounts.rights import Capability, capabilities_of

__all__ = ["RoleListView", "RoleView"]

_INVALID = OpenApiResponse(description="What is wrong, by field.")
_NOT_THERE = OpenApiResponse(description="No such role.")
_CONFLICT = OpenApiResponse(description="The role is held, or nobody would manage users.")


@extend_schema_view(get=extend_schema(summary="All roles"))
class RoleListView(ListAPIView[UserRole]):
    """All roles, and the way to make one of the five that is missing."""

    permission_classes = [requires(Capability.MANAGE_ROLES)]

    class RoleInput(Body):
        name = serializers.ChoiceField(
            choices=UserRole.Name.choices, help_text="Fixed once the role is made."
        )
        description = serializers.CharField(required=False, allow_blank=True)
        permissions_list = serializers.ListField(
            child=serializers.CharField(max_length=100),
            required=False,
            help_text="Codenames; carried for older clients, what a role gives follows its name.",
        )
        is_active = serializers.BooleanField(
            required=False, help_text="A role that is switched off gives nothing."
        )

    class RoleOutput(serializers.Serializer[UserRole]):
        class RolePermission(serializers.Serializer[Any]):
            id = serializers.IntegerField()
            codename = serializers.CharField()
            name = serializers.CharField()

        id = serializers.IntegerField()
        name = serializers.CharField()
        description = serializers.CharField()
        permissions = RolePermission(many=True)
        permissions_list = serializers.SerializerMethodField()
        capabilities = serializers.SerializerMethodField()
        is_active = serializers.BooleanField()
        created_at = serializers.DateTimeField()
        updated_at = serializers.DateTimeField()

        def get_permissions_list(self, role: UserRole) -> list[str]:
            return sorted({permission.codename for permission in role.permissions.all()})

        def get_capabilities(self, role: UserRole) -> list[str]:
            return sorted(capabilities_of(role=role.name, role_is_active=role.is_active))

    serializer_class = RoleOutput

    def get_queryset(self) -> QuerySet[UserRole]:
        return roles()

    @extend_schema(
        summary="Make a role that is missing",
        request=RoleInput,
        responses={201: RoleOutput, 400: _INVALID},
    )
    def post(self, request: Request) -> Response:
        given = self.RoleInput(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            role = create_role(
                **given.validated_data,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(self.RoleOutput(role).data, status=201)


class RoleView(APIView):
    """One role."""

    permission_classes = [requires(Capability.MANAGE_ROLES)]

    @extend_schema(summary="One role", responses={200: RoleListView.RoleOutput, 404: _NOT_THERE})
    def get(self, request: Request, role_id: int) -> Response:
        return self._shown(role_id)

    @extend_schema(
        summary="Change a role",
        request=RoleListView.RoleInput,
        responses={
            200: RoleListView.RoleOutput,
            400: _INVALID,
            404: _NOT_THERE,
            409: _CONFLICT,
        },
    )
    def put(self, request: Request, role_id: int) -> Response:
        return self._update(request, role_id)

    @extend_schema(
        summary="Change fields of a role",
        request=RoleListView.RoleInput,
        responses={
            200: RoleListView.RoleOutput,
            400: _INVALID,
            404: _NOT_THERE,
            409: _CONFLICT,
        },
    )
    def patch(self, request: Request, role_id: int) -> Response:
        return self._update(request, role_id)

    @extend_schema(
        summary="Delete a role that nobody has",
        responses={204: None, 404: _NOT_THERE, 409: _CONFLICT},
    )
    def delete(self, request: Request, role_id: int) -> Response:
        with answering_refusals():
            delete_role(
                role_id,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(status=204)

    def _update(self, request: Request, role_id: int) -> Response:
        partial = request.method == "PATCH"
        given = RoleListView.RoleInput(data=request.data, partial=partial)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            update_role(
                role_id,
                wanted=given.validated_data,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return self._shown(role_id)

    def _shown(self, role_id: int) -> Response:
        role = roles().filter(pk=role_id).first()
        if role is None:
            raise NotFound
        return Response(RoleListView.RoleOutput(role).data)
