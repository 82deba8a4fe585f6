"""What a request's body may hold: real types in JSON, text in forms."""

import json

import pytest
from django.http import QueryDict
from rest_framework import serializers

from apps.shared.api.bodies import Body
from apps.shared.api.numbers import Id


class Everything(Body):
    class Inner(Body):
        size = serializers.IntegerField()

    text = serializers.CharField(required=False)
    number = serializers.IntegerField(required=False)
    switch = serializers.BooleanField(required=False)
    texts = serializers.ListField(child=serializers.CharField(), required=False)
    anything = serializers.JSONField(required=False)
    inner = Inner(required=False)
    uuid = serializers.UUIDField(required=False)
    row = Id(required=False)


def errors_of(body):
    read = Everything(data=body)
    read.is_valid()
    return set(read.errors)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5),
        ("text", True),
        ("text", ["a"]),
        ("number", "5"),
        ("number", True),
        ("number", 5.5),
        ("number", float("inf")),
        ("switch", "true"),
        ("switch", 1),
        ("switch", "yes"),
        ("texts", "abc"),
        ("texts", ["a", 5]),
        ("texts", {"a": "b"}),
        ("inner", {"size": "5"}),
        ("inner", "size"),
        ("uuid", 5),
        ("anything", {"a": ["\0"]}),
        ("anything", {"\ud800": 1}),
        ("anything", [float("inf")]),
        ("row", 0),
        ("row", 2**63),
    ],
)
def test_json_of_another_type_is_refused(name, value):
    assert errors_of({name: value}) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "5"),
        ("number", 5),
        ("number", 5.0),
        ("switch", False),
        ("texts", ["a"]),
        ("inner", {"size": 5}),
        ("anything", {"a": [1.5, None, "é"]}),
        ("row", 2**63 - 1),
    ],
)
def test_json_of_the_right_type_is_taken(name, value):
    assert errors_of({name: value}) == set()


def test_json_column_of_any_depth_is_looked_through():
    deep = json.loads("[" * 900 + '"\\u0000"' + "]" * 900)
    assert errors_of({"anything": deep}) == {"anything"}


def test_form_is_read_as_text():
    form = QueryDict("text=5&number=5&switch=true&texts=a&texts=b&inner.size=7&row=8")
    read = Everything(data=form)
    assert read.is_valid(), read.errors
    assert read.validated_data == {
        "text": "5",
        "number": 5,
        "switch": True,
        "texts": ["a", "b"],
        "inner": {"size": 7},
        "row": 8,
    }


def test_form_may_hold_an_object_as_json():
    read = Everything(data=QueryDict('text=a&inner={"size": 7}'))
    assert read.is_valid(), read.errors
    assert read.validated_data == {"text": "a", "inner": {"size": 7}}


def test_form_that_leaves_a_switch_out_does_not_turn_it_off():
    read = Everything(data=QueryDict("text=a"))
    assert read.is_valid()
    assert read.validated_data == {"text": "a"}


@pytest.mark.parametrize(
    "form", ["text=", "number=", "switch=", "row=1_0", "row=%2B1", "row=\u0661", "inner=text"]
)
def test_form_with_an_empty_or_odd_value_is_refused(form):
    assert errors_of(QueryDict(form)) == {form.split("=")[0]}
