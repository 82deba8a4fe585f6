"""Profiles: one's own for everybody, all for those who manage users."""

from datetime import datetime
from typing import Any, Protocol

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
from apps.shared.api.numbers import Id
from apps.shared.api.origin import Origin, origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import SignedIn
from federated_imputation.monolith.accounts.api.refusals import answering_refusals
from federated_imputation.monolith.accounts.models import UserProfile
from federated_imputation.monolith.accounts.operations.profiles import (
    create_profile,
    delete_profile,
    reset_quota,
    update_profile,
    verify_profile,
)
from federated_imputation.monolith.accounts.operations.reads import record_read
from federated_imputation.monolith.accounts.permissions import requires
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.accounts.queries.people import profiles
from federated_imputation.monolith.accounts.quotas import jobs_used
from federated_imputation.monolith.accounts.rights import Capability, Rights

__all__ = [
    "ProfileFields",
    "ProfileListView",
    "ProfileOutput",
    "ProfileView",
    "ResetQuotaView",
    "VerifyUserView",
]

_INVALID = OpenApiResponse(description="What is wrong, by field.")
_FORBIDDEN = OpenApiResponse(description="Names the fields that the caller may not change.")
_NOT_THERE = OpenApiResponse(description="No such profile, or not one that the caller may see.")
_CONFLICT = OpenApiResponse(description="Nobody would be left who may manage users.")


class ProfileFields(Body):
    """What can be written; a field that is left out stays as it is."""

    organization = serializers.CharField(required=False, allow_blank=True, max_length=200)
    department = serializers.CharField(required=False, allow_blank=True, max_length=200)
    position = serializers.CharField(required=False, allow_blank=True, max_length=100)
    phone = serializers.CharField(required=False, allow_blank=True, max_length=20)
    research_area = serializers.CharField(required=False, allow_blank=True, max_length=200)
    institution = serializers.CharField(required=False, allow_blank=True, max_length=200)
    country = serializers.CharField(required=False, allow_blank=True, max_length=100)
    preferred_language = serializers.CharField(required=False, max_length=10)
    timezone = serializers.CharField(required=False, max_length=50)
    email_notifications = serializers.BooleanField(required=False)
    role_id = Id(required=False, allow_null=True)
    is_verified = serializers.BooleanField(required=False)
    verification_date = serializers.DateTimeField(required=False, allow_null=True)
    monthly_job_limit = serializers.IntegerField(
        required=False, min_value=0, max_value=LARGEST_INTEGER
    )
    monthly_jobs_used = serializers.IntegerField(
        required=False, min_value=0, max_value=LARGEST_INTEGER
    )
    storage_limit_gb = serializers.DecimalField(
        required=False, min_value=0, max_digits=10, decimal_places=2
    )
    storage_used_gb = serializers.DecimalField(
        required=False, min_value=0, max_digits=10, decimal_places=2
    )


class ProfileInput(ProfileFields):
    user = Id(
        max_value=LARGEST_INTEGER,
        required=False,
        source="user_id",
        help_text="The caller, unless they manage users.",
    )


class ProfileOutput(serializers.Serializer[UserProfile]):
    id = serializers.IntegerField()
    user = serializers.IntegerField(source="user_id")
    username = serializers.CharField(source="user.username")
    email = serializers.CharField(source="user.email")
    first_name = serializers.CharField(source="user.first_name")
    last_name = serializers.CharField(source="user.last_name")
    role_id = serializers.IntegerField(allow_null=True)
    role = serializers.CharField(source="role.name", default=None, allow_null=True)
    organization = serializers.CharField()
    department = serializers.CharField()
    position = serializers.CharField()
    phone = serializers.CharField()
    research_area = serializers.CharField()
    institution = serializers.CharField()
    country = serializers.CharField()
    preferred_language = serializers.CharField()
    timezone = serializers.CharField()
    email_notifications = serializers.BooleanField()
    is_verified = serializers.BooleanField()
    verification_date = serializers.DateTimeField(allow_null=True)
    last_activity = serializers.DateTimeField(allow_null=True)
    monthly_job_limit = serializers.IntegerField()
    monthly_jobs_used = serializers.SerializerMethodField()
    storage_limit_gb = serializers.DecimalField(max_digits=10, decimal_places=2)
    storage_used_gb = serializers.DecimalField(max_digits=10, decimal_places=2)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_monthly_jobs_used(self, profile: UserProfile) -> int:
        return jobs_used(profile, now=timezone.now())


class ProfileListView(ListAPIView[UserProfile]):
    """The profiles that the caller may see, and the way to make one's own."""

    permission_classes = [SignedIn]
    serializer_class = ProfileOutput

    def get_queryset(self) -> QuerySet[UserProfile]:
        return profiles(find_rights(self.request.user))

    @extend_schema(summary="The profiles that the caller may see")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().get(request, *args, **kwargs)
        _record(request, answer.data["results"])
        return answer

    @extend_schema(
        summary="Make a profile",
        request=ProfileInput,
        responses={201: ProfileOutput, 400: _INVALID, 403: _FORBIDDEN},
    )
    def post(self, request: Request) -> Response:
        given = ProfileInput(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            profile = create_profile(
                user_id=caller_id(request),
                wanted=given.validated_data,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(ProfileOutput(profile).data, status=201)


class ProfileView(APIView):
    """One profile; role, quota and verification are written by those who manage users alone."""

    permission_classes = [SignedIn]

    @extend_schema(summary="One profile", responses={200: ProfileOutput, 404: _NOT_THERE})
    def get(self, request: Request, profile_id: int) -> Response:
        profile = profiles(find_rights(request.user)).filter(pk=profile_id).first()
        if profile is None:
            raise NotFound
        shown = ProfileOutput(profile).data
        _record(request, [shown])
        return Response(shown)

    @extend_schema(
        summary="Change a profile",
        request=ProfileInput,
        responses={
            200: ProfileOutput,
            400: _INVALID,
            403: _FORBIDDEN,
            404: _NOT_THERE,
            409: _CONFLICT,
        },
    )
    def put(self, request: Request, profile_id: int) -> Response:
        return self._update(request, profile_id)

    @extend_schema(
        summary="Change fields of a profile",
        request=ProfileInput,
        responses={
            200: ProfileOutput,
            400: _INVALID,
            403: _FORBIDDEN,
            404: _NOT_THERE,
            409: _CONFLICT,
        },
    )
    def patch(self, request: Request, profile_id: int) -> Response:
        return self._update(request, profile_id)

    @extend_schema(
        summary="Delete a profile",
        responses={204: None, 403: _FORBIDDEN, 404: _NOT_THERE, 409: _CONFLICT},
    )
    def delete(self, request: Request, profile_id: int) -> Response:
        with answering_refusals():
            delete_profile(
                profile_id,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(status=204)

    def _update(self, request: Request, profile_id: int) -> Response:
        given = ProfileInput(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            profile = update_profile(
                profile_id,
                wanted=given.validated_data,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(ProfileOutput(profile).data)


class ProfileDone(serializers.Serializer[Any]):
    message = serializers.CharField()
    profile = ProfileOutput()


class ResetQuotaView(APIView):
    """Lets the month of a profile's user begin anew."""

    permission_classes = [requires(Capability.MANAGE_USERS)]

    @extend_schema(request=None, responses={200: ProfileDone, 404: _NOT_THERE})
    def post(self, request: Request, profile_id: int) -> Response:
        return _done(request, profile_id, reset_quota, "Quota reset")


class VerifyUserView(APIView):
    """Notes that a user is who the profile says."""

    permission_classes = [requires(Capability.MANAGE_USERS)]

    @extend_schema(request=None, responses={200: ProfileDone, 404: _NOT_THERE})
    def post(self, request: Request, profile_id: int) -> Response:
        return _done(request, profile_id, verify_profile, "User verified")


class _Operation(Protocol):
    def __call__(
        self, profile_id: int, *, by: Rights, origin: Origin, now: datetime
    ) -> UserProfile: ...


def _done(request: Request, profile_id: int, operation: _Operation, message: str) -> Response:
    with answering_refusals():
        profile = operation(
            profile_id,
            by=find_rights(request.user),
            origin=origin_of(request),
            now=timezone.now(),
        )
    return Response(ProfileDone({"message": message, "profile": profile}).data)


def _record(request: Request, shown: list[dict[str, Any]]) -> None:
    """Audit which profiles of others were shown."""
    record_read(
        resource_type="profile",
        ids=[profile["id"] for profile in shown if profile["user"] != caller_id(request)],
        user_id=caller_id(request),
        origin=origin_of(request),
        now=timezone.now(),
    )
