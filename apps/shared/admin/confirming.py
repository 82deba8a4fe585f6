"""Actions on chosen rows that say beforehand what they will do.

The story. Somebody chooses rows of a list, or the one row of a page, and an action. A page tells
for each row what will happen, or why it will be left as it is; nothing is changed yet. Once that
is confirmed, each row is done for itself, and what came of it is told. A row may have changed since
the page was shown, so it is judged again when it is done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.shared.admin.pages import EditableAdmin

__all__ = ["MOST", "ConfirmingAdmin", "NotDone", "RowAction"]

MOST: Final = 100
_Step = Callable[[HttpRequest, Any], str]


class NotDone(Exception):
    """Raised with a sentence that says why a row is left as it is."""


@dataclass(frozen=True, kw_only=True)
class RowAction:
    """Something that is done to one row.

    Attributes:
        name: Of the form's value; unique on the page.
        title: On buttons, `Switch off`.
        permission: Whoever has `has_<permission>_permission` of the page is offered the action.
        foresee: What will happen to a row, in words; raises `NotDone`. Changes nothing.
        act: Does it, and says what happened; raises `NotDone`.
        act_alone: Instead of `act` when one row was chosen; `None` for the same.
        most: Rows at a time.
    """

    name: str
    title: str
    permission: str
    foresee: _Step
    act: _Step
    act_alone: _Step | None = None
    most: int = MOST


@dataclass(frozen=True, kw_only=True)
class _Foreseen:
    row: Any
    told: str
    is_refused: bool


class ConfirmingAdmin(EditableAdmin):
    """A page with `row_actions`, in its list and on the page of each row."""

    row_actions: Sequence[RowAction] = ()
    change_form_outer_before_template = "operators/row_actions.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actions = [*(self.actions or ()), *map(_function_of, self.row_actions)]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        offered = [
            action
            for action in self.row_actions
            if getattr(self, f"has_{action.permission}_permission")(request)
        ]
        context = {**(extra_context or {}), "row_actions": offered}
        return super().changeform_view(request, object_id, form_url, context)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """As Django's, which asks the database for ids that cannot be any.

        Raises:
            BadRequest: One is none.
        """
        key = self.opts.pk
        for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                key.run_validators(key.to_python(chosen))
            except ValidationError:
                raise BadRequest("A chosen row has no such id.") from None
        return super().response_action(request, queryset, *args, **kwargs)

    def run_row_action(
        self, action: RowAction, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        """Show what the action will do, or do it when that was confirmed."""
        rows = list(queryset.order_by("pk")[: action.most + 1])
        if len(rows) > action.most:
            self.message_user(request, f"Choose at most {action.most} rows.", messages.ERROR)
            return None
        if "confirmed" not in request.POST:
            return self._confirmation(action, request, rows)
        act = action.act_alone if action.act_alone and len(rows) == 1 else action.act
        for row in rows:
            try:
                self.message_user(request, f"{row}: {act(request, row)}", messages.SUCCESS)
            except NotDone as refused:
                self.message_user(request, f"{row}: {refused}", messages.WARNING)
        if "on_page" in request.POST and len(rows) == 1:
            return HttpResponseRedirect(self._page_of(rows[0]))
        return None

    def _confirmation(
        self, action: RowAction, request: HttpRequest, rows: Sequence[Any]
    ) -> HttpResponse:
        foreseen = [_foreseen(action, request, row) for row in rows]
        on_page = "on_page" in request.POST and len(rows) == 1
        back = self._page_of(rows[0]) if on_page else request.get_full_path()
        return TemplateResponse(
            request,
            "operators/confirm.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": action.title,
                "action": action,
                "will": [each for each in foreseen if not each.is_refused],
                "refused": [each for each in foreseen if each.is_refused],
                "chosen_name": ACTION_CHECKBOX_NAME,
                "on_page": on_page,
                "back": back,
            },
        )

    def _page_of(self, row: Any) -> str:
        name = f"{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(f"admin:{name}", args=[row.pk])


def _foreseen(action: RowAction, request: HttpRequest, row: Any) -> _Foreseen:
    try:
        return _Foreseen(row=row, told=action.foresee(request, row), is_refused=False)
    except NotDone as refused:
        return _Foreseen(row=row, told=str(refused), is_refused=True)


def _function_of(action: RowAction) -> Callable[..., HttpResponse | None]:
    """The action in the shape that Django wants."""

    def run(
        page: ConfirmingAdmin, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        return page.run_row_action(action, request, queryset)

    run.__name__ = action.name
    run.short_description = action.title  # type: ignore[attr-defined]
    run.allowed_permissions = [action.permission]  # type: ignore[attr-defined]
    return run
