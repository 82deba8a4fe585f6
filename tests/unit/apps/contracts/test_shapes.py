import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.contracts import examples
from apps.contracts.shapes import JSON, differences

MICHIGAN = examples.load("michigan")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values)
def test_a_value_has_its_own_shape(value):
    assert differences(value, value) == []


@pytest.mark.parametrize(
    ("expected", "actual", "told"),
    [
        ({"a": 1}, {}, "a is missing"),
        ({"a": 1}, {"a": 1, "b": 1}, "b is unknown"),
        ({"a": 1}, {"a": "1"}, "a is string, not number"),
        ({"a": 1}, {"a": True}, "a is boolean, not number"),
        ({"a": 1}, {"a": None}, "a is null, not number"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"b": []}]}, "a[].b is list, not number"),
        ([1], [], "the answer is empty"),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, "a.c is unknown"),
    ],
)
def test_a_difference_is_told_with_its_place(expected, actual, told):
    assert differences(expected, actual) == [told]


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 2.5}),
        ({"a": {}}, {"a": {"any": ["thing"]}}),
        ({"a": []}, {"a": [1, "two"]}),
        ([{"a": 1, "b": 1}, {"a": 1}], [{"a": 5}]),
        ([{"a": 1}, {"a": None}], [{"a": None}]),
        ([{"a": [1]}, {"a": []}], [{"a": []}]),
    ],
)
def test_what_the_example_leaves_open_is_no_difference(expected, actual):
    assert differences(expected, actual) == []


def test_elements_of_a_list_speak_together():
    expected: JSON = [{"messages": []}, {"messages": [{"text": "x"}]}]

    assert differences(expected, [{"messages": [{"text": 1}]}]) == [
        "[].messages[].text is number, not string"
    ]


def test_null_is_allowed_where_it_is_named():
    assert differences({"a": [{"b": 1}]}, {"a": [{"b": None}]}, nullable=["a[].b"]) == []


def test_every_example_says_what_it_answers():
    assert len(MICHIGAN) > 40
    for example in MICHIGAN.values():
        assert example.section[0] in "13"
        assert example.method in {"GET", "POST", "DELETE"}
        assert example.path.startswith("/")
        assert example.auth in {"token", "session", "none"}
        if example.name.startswith("error-"):
            assert example.status >= 400
            assert set(example.body) == {"message", "success"}
        else:
            assert example.status == 200


def test_jobs_in_all_states_have_one_shape():
    jobs = [e for e in MICHIGAN.values() if e.name.startswith("job-") and "steps" in e.body]
    assert {job.body["state"] for job in jobs} == {-1, *range(1, 11)}
    for job in jobs:
        assert set(job.body) == set(MICHIGAN["job-success"].body)
