"""The admin page on which staff change their own password."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils import timezone
from unfold.forms import AdminOwnPasswordChangeForm

from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.operations.own_password import note_new_password

__all__ = ["change_own_password"]

if TYPE_CHECKING:
    _OwnPasswordForm = AdminPasswordChangeForm
else:
    _OwnPasswordForm = AdminOwnPasswordChangeForm


class _Form(_OwnPasswordForm):
    """Django's form, which would rewrite the stored hash while it checks the old password.

    This one asks the backends, as a login does, so that guesses are limited here too.
    """

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        found = authenticate(self._request, username=self.user.get_username(), password=old)
        if found is None:
            raise forms.ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return old


class _View(PasswordChangeView):
    form_class = _Form
    success_url = reverse_lazy("admin:password_change_done")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    @transaction.atomic
    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        note_new_password(form.user, origin=origin_of(self.request), now=timezone.now())
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **admin.site.each_context(self.request)}


# It takes the place of `admin:password_change`; that site has no other way to be given a form.
change_own_password = admin.site.admin_view(_View.as_view(), cacheable=True)
