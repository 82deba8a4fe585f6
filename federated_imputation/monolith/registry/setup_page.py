"""The pages on which a service is set up: where it is, then what it offers.

The first page describes the service and gives the platform's token there. When the service has
answered, the second shows what it offers, and carries the description sealed, so that what was
tested is what is saved and the token is in no page that anybody could read.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.federation.michigan import APPLICATION
from apps.shared.api.origin import origin_of
from apps.shared.http.errors import Refused
from federated_imputation.monolith.accounts.operations.sealing import SealBroken, seal, unseal
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.registry.hosts import refuse_uncallable
from federated_imputation.monolith.registry.models import ImputationService
from federated_imputation.monolith.registry.operations import (
    Found,
    InvalidService,
    NotReady,
    look_at_new_service,
    set_up_service,
)

__all__ = ["SetupForm", "set_up"]

_TEMPLATE: Final = "admin/imputation/imputationservice/set_up.html"
_PURPOSE: Final = "set up a service"
_LATE: Final = "That page was open for too long, so the service must be asked again."


class SetupForm(forms.Form):
    """What is asked about a new service."""

    name = forms.CharField(min_length=3, max_length=100, widget=UnfoldAdminTextInputWidget())
    service_type = forms.ChoiceField(
        choices=ImputationService.ServiceType.choices,
        initial=ImputationService.ServiceType.MICHIGAN,
        widget=UnfoldAdminSelectWidget(),
    )
    api_type = forms.ChoiceField(
        label="API",
        choices=ImputationService.ApiType.choices,
        widget=UnfoldAdminSelectWidget(),
    )
    api_url = forms.URLField(
        label="Address",
        max_length=200,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget(),
        help_text="Without user name and password, as a browser shows it.",
    )
    application = forms.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9._@-]*$",
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
        help_text=f"Of a Michigan Imputation Server; {APPLICATION} when this is empty.",
    )
    api_key = forms.CharField(
        label="Token",
        required=False,
        max_length=500,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="The platform's own, with which it asks what is offered. It is kept encrypted "
        "and never shown again.",
    )
    api_key_required = forms.BooleanField(
        label="Each user needs a token of their own",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
    )

    def clean_api_url(self) -> str:
        address: str = self.cleaned_data["api_url"]
        if "@" in address.partition("://")[2].partition("/")[0]:
            raise ValidationError("The address must hold no user name and no password.")
        try:
            refuse_uncallable(address, allow=settings.GUARDED_HTTP_ALLOW)
        except Refused as refused:
            raise ValidationError(str(refused)) from None
        return address

    @property
    def wanted(self) -> dict[str, Any]:
        """The service that a valid form describes, as `create_service` wants it."""
        given = dict(self.cleaned_data)
        application = given.pop("application")
        return {**given, "api_config": {"application": application} if application else {}}

    def refuse(self, refused: InvalidService | NotReady) -> None:
        """Show what an operation says against the form."""
        if isinstance(refused, NotReady):
            self.add_error(refused.field or None, str(refused))
            return
        for field, errors in refused.errors.items():
            self.add_error(field, [ValidationError(error) for error in errors])


def set_up(request: HttpRequest, *, context: Mapping[str, Any]) -> HttpResponse:
    """Show one of the two pages, or save what the second one confirms.

    Args:
        context: What every admin page is rendered with.
    """
    if request.method != "POST":
        return _page(request, context, form=SetupForm())
    if "draft" in request.POST:
        return _confirmed(request, context, request.POST["draft"])
    form = SetupForm(request.POST)
    if not form.is_valid():
        return _page(request, context, form=form)
    try:
        found = look_at_new_service(form.wanted)
    except (InvalidService, NotReady) as refused:
        form.refuse(refused)
        return _page(request, context, form=form)
    draft = _sealed(request, {"id": str(uuid4()), "wanted": form.wanted})
    return _page(request, context, wanted=form.wanted, found=found, draft=draft)


def _confirmed(request: HttpRequest, context: Mapping[str, Any], draft: str) -> HttpResponse:
    try:
        opened = unseal(draft, purpose=_PURPOSE, user_id=_user_id(request), now=timezone.now())
    except SealBroken:
        return _page(request, context, form=SetupForm(), problem=_LATE)
    wanted, draft_id = opened["wanted"], UUID(opened["id"])
    try:
        service = set_up_service(
            wanted,
            draft_id=draft_id,
            by=find_rights(request.user),
            origin=origin_of(request),
            now=timezone.now(),
        )
    except NotReady as refused:
        return _page(request, context, wanted=wanted, draft=draft, problem=str(refused))
    except InvalidService as refused:
        problem = " ".join(error for errors in refused.errors.values() for error in errors)
        return _page(request, context, form=SetupForm(), problem=problem)
    panels = service.reference_panels_count  # type: ignore[attr-defined]
    messages.success(request, f"{service.name} is set up. Panels that it offers: {panels}.")
    return HttpResponseRedirect(
        reverse("admin:imputation_imputationservice_change", args=[service.pk])
    )


def _sealed(request: HttpRequest, value: Any) -> str:
    return seal(value, purpose=_PURPOSE, user_id=_user_id(request), now=timezone.now())


def _user_id(request: HttpRequest) -> int:
    return find_rights(request.user).user_id or 0


def _page(
    request: HttpRequest,
    context: Mapping[str, Any],
    *,
    form: SetupForm | None = None,
    wanted: Mapping[str, Any] | None = None,
    found: Found | None = None,
    draft: str = "",
    problem: str = "",
) -> TemplateResponse:
    """The first page with `form`, or the second with the `draft`."""
    return TemplateResponse(
        request,
        _TEMPLATE,
        {
            **context,
            "title": "Set up a service",
            "form": form,
            "wanted": {k: v for k, v in (wanted or {}).items() if k != "api_key"},
            "found": found,
            "draft": draft,
            "problem": problem,
        },
    )
