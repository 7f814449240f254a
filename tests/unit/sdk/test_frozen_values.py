"""Values that refuse to change in place, and say what to do instead."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainctl as chains
from chainctl.errors import ChainsUsageError
from chainctl.sdk.frozen import FrozenDict, FrozenList

CONFIG = chains.RemoteConfig(
    compute=chains.Compute(cpu_count=1),
    docker_image=chains.DockerImage(pip_requirements=["numpy"]),
    options=chains.ChainletOptions(env_variables={"A": "1"}),
)


def _delete(value: Any, name: str) -> None:
    delattr(value, name)


@pytest.mark.parametrize(
    "change",
    [
        lambda: setattr(CONFIG, "name", "other"),
        lambda: setattr(CONFIG.compute, "cpu_count", 16),
        lambda: setattr(CONFIG, "no_such_field", 1),
        lambda: _delete(CONFIG, "name"),
    ],
)
def test_field_cannot_be_changed(change: Callable[[], None]) -> None:
    """A field that is set or deleted says that the value is shared, and how to make a new one."""
    with pytest.raises(ChainsUsageError, match="cannot be changed in place") as caught:
        change()
    assert "model_copy(update=" in caught.value.hint
    assert CONFIG.compute.cpu_count == 1


_LIST: Any = CONFIG.docker_image.pip_requirements


@pytest.mark.parametrize(
    "change",
    [
        lambda: _LIST.append("x"),
        lambda: _LIST.extend(["x"]),
        lambda: _LIST.insert(0, "x"),
        lambda: _LIST.remove("numpy"),
        lambda: _LIST.pop(),
        lambda: _LIST.clear(),
        lambda: _LIST.sort(),
        lambda: _LIST.reverse(),
        lambda: _LIST.__setitem__(0, "x"),
        lambda: _LIST.__delitem__(0),
        lambda: _LIST.__iadd__(["x"]),
    ],
)
def test_list_cannot_be_changed(change: Callable[[], None]) -> None:
    """Every method by which a list changes is refused, with a hint."""
    with pytest.raises(ChainsUsageError, match="cannot be changed in place") as caught:
        change()
    assert "[*old, new]" in caught.value.hint
    assert _LIST == ["numpy"]


_DICT: Any = CONFIG.options.env_variables


@pytest.mark.parametrize(
    "change",
    [
        lambda: _DICT.__setitem__("A", "2"),
        lambda: _DICT.__delitem__("A"),
        lambda: _DICT.update(B="2"),
        lambda: _DICT.pop("A"),
        lambda: _DICT.popitem(),
        lambda: _DICT.clear(),
        lambda: _DICT.setdefault("B", "2"),
        lambda: _DICT.__ior__({"B": "2"}),
    ],
)
def test_mapping_cannot_be_changed(change: Callable[[], None]) -> None:
    """Every method by which a dictionary changes is refused, with a hint."""
    with pytest.raises(ChainsUsageError, match="cannot be changed in place") as caught:
        change()
    assert "{**old, key: value}" in caught.value.hint
    assert _DICT == {"A": "1"}


@given(st.lists(st.integers()), st.lists(st.integers()))
def test_list_is_a_list_to_its_user(ours: list[int], other: list[int]) -> None:
    """It compares, adds, slices, copies and prints as the list that it was made of."""
    frozen = FrozenList(ours)
    assert (frozen == other, frozen != other) == (ours == other, ours != other)
    assert (other == frozen, other != frozen) == (ours == other, ours != other)
    assert frozen + other == ours + other
    assert other + frozen == other + ours
    assert frozen[1:] == ours[1:]
    assert frozen[::-1] + other == ours[::-1] + other
    assert [*frozen] == ours
    assert frozen.copy() == ours
    assert repr(frozen) == repr(ours)
    assert hash(frozen) == hash(FrozenList(ours))


def test_list_is_no_text_and_no_number() -> None:
    """It is unequal to what is no sequence."""
    assert FrozenList(["a"]) != "a"
    assert FrozenList(["a"]) == ("a",)
    assert FrozenList([1]) != 1


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
def test_mapping_is_a_dictionary_to_its_user(values: dict[str, str]) -> None:
    """It compares, merges, copies and hashes as the dictionary that it was made of."""
    frozen = FrozenDict(values)
    assert frozen == values
    assert {**frozen, "x": "y"} == {**values, "x": "y"}
    assert frozen | {"x": "y"} == values | {"x": "y"}
    assert type(frozen.copy()) is dict
    assert hash(frozen) == hash(FrozenDict(reversed(values.items())))


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_copies_are_equal_and_frozen(clone: Callable[[Any], Any]) -> None:
    """Copies, also deep and pickled ones, are equal and as frozen as the original."""
    made = clone(CONFIG)
    assert made == CONFIG
    assert hash(made) == hash(CONFIG)
    assert made.model_fields_set == CONFIG.model_fields_set
    with pytest.raises(ChainsUsageError):
        made.options.env_variables["B"] = "2"


def test_model_copy_makes_a_checked_value() -> None:
    """A copy with changes is a value like any other: checked, frozen, hashable, knowing what was written."""
    made = CONFIG.model_copy(update={"build_commands": ["true"]})
    assert made.build_commands == ["true"]
    assert made.compute is CONFIG.compute
    assert made.model_fields_set == CONFIG.model_fields_set | {"build_commands"}
    assert isinstance(hash(made), int)
    assert made == CONFIG.model_copy(update={"build_commands": ("true",)})
    assert CONFIG.build_commands == []
    assert CONFIG.model_copy() == CONFIG
    assert CONFIG.model_copy(deep=True) == CONFIG


@pytest.mark.parametrize("update", [{"cpu_count": "16"}, {"cpus": 16}, {"memory": "lots"}])
def test_model_copy_refuses_what_the_constructor_refuses(update: dict[str, Any]) -> None:
    """A copy accepts no field and no value that the constructor would not."""
    with pytest.raises(pydantic.ValidationError):
        chains.Compute().model_copy(update=update)


def test_equal_values_have_one_hash() -> None:
    """Values made from lists and from tuples are one value, also as keys."""
    one = chains.Assets(secret_keys=["a"])
    two = chains.Assets(secret_keys=("a",))  # type: ignore[arg-type]  # a tuple will do
    assert {one, two} == {one}
