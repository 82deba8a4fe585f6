"""Query parameters: an empty one is absent, a wrong one is the client's mistake."""

import pytest
from django.test import RequestFactory
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from apps.shared.api.filters import Filters
from apps.shared.api.numbers import Id


class Wanted(Filters):
    search = serializers.CharField(required=False, default="")
    service = Id(required=False, source="service_id")


def read(query):
    return Wanted.of(Request(RequestFactory().get(f"/?{query}")))


@pytest.mark.parametrize("query", ["", "search=", "search=%20&service=", "other=1"])
def test_what_is_empty_is_absent(query):
    assert read(query) == {"search": ""}


def test_values_are_parsed():
    assert read("search=kit&service=5") == {"search": "kit", "service_id": 5}


@pytest.mark.parametrize("query", ["service=x", "service=0", f"service={2**63}", "search=%00"])
def test_a_wrong_value_is_refused(query):
    with pytest.raises(ValidationError):
        read(query)
