"""No break is missed: whatever a validator tells apart is said to be breaking, at the door and at edges."""

from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # stubs are a package of their own
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.deploy.interfaces import Interface, Interfaces, interface_changes
from tests.unit.deploy.test_schema_gaps import SCHEMAS, VALUES, _has_only_known_keys, obj

ARGUMENTS = st.builds(
    lambda fields, needed: obj(*sorted(needed & fields.keys()), closed=True, **fields),
    st.dictionaries(st.sampled_from("abc"), SCHEMAS, max_size=3),
    st.sets(st.sampled_from("abc")),
)
CALLS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), min_size=1, max_size=20)


def _is_apart(value: object, inner: Any, outer: Any) -> bool:
    def fits(schema: Any) -> bool:
        return bool(jsonschema.Draft202012Validator(schema).is_valid(value))

    return fits(inner) and not fits(outer) and _has_only_known_keys(value, inner)


def _release(inputs: Any, outputs: Any) -> Interfaces:
    one = [Interface(name, inputs, outputs) for name in ("Top", "Leaf")]
    return Interfaces("Top", tuple(one), (("Top", "Leaf"),))


@given(ARGUMENTS, ARGUMENTS, CALLS)
@settings(max_examples=200, deadline=None)
def test_a_call_that_was_taken_and_is_not_is_breaking(old: Any, new: Any, calls: list[Any]) -> None:
    """Whatever it is that differs in the arguments."""
    report = interface_changes(_release(old, {}), _release(new, {}))
    if any(_is_apart(call, old, new) for call in calls):
        assert {change.where for change in report.changes if change.is_breaking} == {
            "front door",
            "Top → Leaf",
        }


@given(SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_an_answer_that_never_came_before_is_breaking(old: Any, new: Any, answers: list[Any]) -> None:
    """The other way around: what is given now must be of what was given before."""
    report = interface_changes(_release({}, old), _release({}, new))
    if any(_is_apart(answer, new, old) for answer in answers):
        assert report.is_breaking
