"""The audit log, for those whose role reads it. Reading it is audited too."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bounds import LARGEST_INTEGER
from apps.shared.api.filters import Filters
from apps.shared.api.numbers import Id
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from federated_imputation.monolith.accounts.models import AuditLog
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.accounts.permissions import requires
from federated_imputation.monolith.accounts.queries import audit_rows
from federated_imputation.monolith.accounts.rights import Capability

__all__ = ["AuditLogListView", "AuditLogView"]

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


@extend_schema_field(
    {"oneOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
)
class _Bound(serializers.Field[datetime, str, str, Any]):
    """A day or a moment (UTC where it names no offset), as the first moment of what it bounds.

    Args:
        is_end: It belongs to the span: answers the first moment after it.
    """

    default_error_messages = {"invalid": "Neither a date nor a time of ISO 8601."}

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._is_end = is_end

    def to_internal_value(self, data: str) -> datetime:
        try:
            return _bound(data, is_end=self._is_end)
        except (ValueError, OverflowError):
            self.fail("invalid")


class AuditLogListView(ListAPIView[AuditLog]):
    """The audit log, newest first; `end_date` keeps the pages of a long reading from moving."""

    permission_classes = [requires(Capability.READ_AUDIT_LOG)]

    class AuditLogFilters(Filters):
        user_id = Id(required=False, max_value=LARGEST_INTEGER)
        action = serializers.CharField(required=False)
        start_date = _Bound(
            required=False, source="since", help_text="From this day or moment (UTC) on."
        )
        end_date = _Bound(
            required=False,
            source="before",
            is_end=True,
            help_text="Up to this day or moment (UTC), which is included.",
        )

    class AuditEntry(serializers.Serializer[AuditLog]):
        id = serializers.IntegerField()
        user = serializers.IntegerField(source="user_id", allow_null=True)
        username = serializers.CharField(source="user.username", default=None, allow_null=True)
        action = serializers.CharField()
        resource_type = serializers.CharField()
        resource_id = serializers.CharField()
        details = serializers.JSONField(help_text="An object; of earlier days also a text.")
        ip_address = serializers.IPAddressField(allow_null=True)
        user_agent = serializers.CharField()
        timestamp = serializers.DateTimeField()

    serializer_class = AuditEntry

    @extend_schema(parameters=[AuditLogFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().get(request, *args, **kwargs)
        _record_reading(request, details={"query": request.query_params.dict()})
        return answer

    def get_queryset(self) -> QuerySet[AuditLog]:
        return audit_rows(**self.AuditLogFilters.of(self.request))


class AuditLogView(APIView):
    """One row of the audit log."""

    permission_classes = [requires(Capability.READ_AUDIT_LOG)]

    @extend_schema(responses=AuditLogListView.AuditEntry)
    def get(self, request: Request, audit_id: int) -> Response:
        row = audit_rows().filter(pk=audit_id).first()
        if row is None:
            raise NotFound
        _record_reading(request, resource_id=str(audit_id))
        return Response(AuditLogListView.AuditEntry(row).data)


def _record_reading(
    request: Request, *, resource_id: str = "", details: dict[str, Any] | None = None
) -> None:
    record_audit(
        action="data_access",
        user_id=caller_id(request),
        resource_type="audit_log",
        resource_id=resource_id,
        details=details,
        origin=origin_of(request),
        now=timezone.now(),
    )


def _bound(text: str, *, is_end: bool) -> datetime:
    """The first moment of the day or moment that `text` names, or the first after it.

    Raises:
        ValueError: It names none.
        OverflowError: It lies outside the years 1 to 9999 of UTC.
    """
    day = parse_date(text)
    if day is not None:
        return _midnight(day + _DAY if is_end else day)
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC) + (_INSTANT if is_end else timedelta())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
