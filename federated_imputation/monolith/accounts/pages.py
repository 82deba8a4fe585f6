"""Bases of admin pages that write what people may do and use, or show what is others'.

Django's own permissions open a page only to those whose role has the capability, too, so that a
permission in Django's tables alone lifts nobody above the role. Every write, and every look at
what is others', is in the audit log.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from apps.shared.admin.pages import EditableAdmin, ReadOnlyAdmin
from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.accounts.operations.administrators import (
    keeping_an_administrator,
)
from federated_imputation.monolith.accounts.operations.refusals import Conflict
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.accounts.rights import Capability, Rights

__all__ = ["GoverningAdmin", "RightsAdmin", "WatchedAdmin", "rights_of"]

_found: WeakKeyDictionary[HttpRequest, Rights] = WeakKeyDictionary()


def rights_of(request: HttpRequest) -> Rights:
    """The rights of whoever asks, read once for a request: a page asks some sixty times."""
    if request not in _found:
        _found[request] = find_rights(request.user)
    return _found[request]


class RightsAdmin(EditableAdmin):
    """Open to those whose role has `capability`, within Django's permissions; audited."""

    capability: Capability

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and self._may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only the filters that the page offers; by others a hidden column could be guessed."""
        offered = {
            str(getattr(name, "parameter_name", name)).partition("__")[0]
            for name in self.get_list_filter(request)
        }
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed and lookup.partition("__")[0] in offered

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        answer = super().changelist_view(request, *args, **kwargs)
        self._audit_look(request, answer, "", {"query": request.GET.dict()})
        return answer

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        answer = super().changeform_view(request, object_id, *args, **kwargs)
        if object_id is not None:
            self._audit_look(request, answer, unquote(object_id), {})
        return answer

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        self._audit(request, "admin_add", obj, {"message": message})
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        self._audit(request, "admin_change", obj, {"message": message})
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            self._audit(request, "admin_delete", obj, {})
        return super().log_deletions(request, queryset)

    def _may(self, request: HttpRequest) -> bool:
        return rights_of(request).may(self.capability)

    def _audit(self, request: HttpRequest, action: str, obj: Any, details: dict[str, Any]) -> None:
        self._record(request, action, str(obj.pk), details)

    def _audit_look(
        self, request: HttpRequest, answer: HttpResponse, resource_id: str, details: dict[str, Any]
    ) -> None:
        if answer.status_code == 200:
            self._record(request, "data_access", resource_id, details)

    def _record(
        self, request: HttpRequest, action: str, resource_id: str, details: dict[str, Any]
    ) -> None:
        record_audit(
            action=action,
            user_id=request.user.pk,
            resource_type=str(self.opts.model_name),
            resource_id=resource_id,
            details=details,
            origin=origin_of(request),
            now=timezone.now(),
        )


class GoverningAdmin(RightsAdmin):
    """Undoes a write after which nobody could manage users, and says so."""

    capability = Capability.MANAGE_USERS

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._governed(request, super().changeform_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._governed(request, super().changelist_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._governed(request, super().delete_view, *args, **kwargs)

    def _governed(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        try:
            with keeping_an_administrator():
                return view(request, *args, **kwargs)
        except Conflict as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class WatchedAdmin(ReadOnlyAdmin, RightsAdmin):
    """Rows of others that code alone writes."""
