"""What a component holds comes back as it was, by type and by hash; what cannot is refused with its place."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import math
import threading
import typing as t
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainctl as chains
from chainctl.components.canonical import text_of
from chainctl.components.load import loaded
from chainctl.components.node import NodeKey
from chainctl.components.nodes import nodes_of
from chainctl.errors import DecodeError, EncodeError
from tests.unit.components.values import ARRAYS, CALLABLES, CALLS, VALUES, Holder, Plain, Point


def _through(value: t.Any) -> t.Any:
    """Encode a holder both ways, check that all hashes are one, and return what came back."""
    holder = Holder("up", x=value)
    node = nodes_of(holder)[-1]
    json.loads(node.data)
    assert node.data.isascii()
    again = loaded(node)
    assert isinstance(again, Holder)
    decoded = Holder.decode(holder.encode())
    assert node.hash == holder.hash == again.hash == decoded.hash
    assert decoded == again == holder
    if "blob:pickle" not in node.data:
        assert nodes_of(again)[-1].data == node.data
    return again.x


@pytest.mark.parametrize("name", VALUES)
def test_value_comes_back(name: str) -> None:
    """A value comes back equal and of the same type."""
    value = VALUES[name]
    again = _through(value)
    assert type(again) is type(value)
    assert again == value


def test_negative_zero_nan_and_order_come_back() -> None:
    """What equality does not see is kept, too."""
    assert math.copysign(1, _through(-0.0)) == -1
    assert math.isnan(_through(math.nan))
    assert list(_through({"b": 1, "a": 2})) == ["b", "a"]
    assert list(_through({2: 1, 1: 2})) == [2, 1]
    model = _through(VALUES["model in part"])
    assert (model.model_fields_set, model._seen) == ({"sizes"}, 3)
    assert _through(VALUES["fold"]).fold == 1
    assert _through(VALUES["deque"]).maxlen == 3


@pytest.mark.parametrize("name", ARRAYS)
def test_array_comes_back(name: str) -> None:
    """An array comes back with its type, shape and byte order."""
    array = ARRAYS[name]
    again = _through(array)
    assert type(again) is type(array)
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(again, array)


@pytest.mark.parametrize("name", CALLABLES)
def test_callable_comes_back(name: str) -> None:
    """Functions without a name of their own do what they did."""
    function, result = CALLABLES[name]
    again = _through(function)
    assert again(*CALLS.get(name, (4 if name == "partial" else 2,))) == (16 if name == "partial" else result)


_ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.text("?&:$\ud800\udc00a", max_size=6)
    | st.binary(max_size=8)
    | st.datetimes()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
)
_KEYS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters())
    | st.just("$type")
    | st.binary(max_size=3)
)


def _nested(inner: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    return (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(_KEYS, inner, max_size=4)
        | st.frozensets(_KEYS, max_size=4)
        | st.sets(_KEYS, max_size=4)
        | inner.map(lambda value: Point(1, (value,)))
    )


def _types(value: t.Any) -> t.Any:
    """The types of a value, all the way down."""
    if isinstance(value, (list, tuple)):
        return (type(value), [_types(each) for each in value])
    if isinstance(value, dict):
        return (type(value), [(_types(key), _types(each)) for key, each in value.items()])
    return (type(value), _types(value.rest) if isinstance(value, Point) else None)


@given(st.recursive(_ATOMS, _nested, max_leaves=12))
def test_any_value_comes_back(value: t.Any) -> None:
    """Whatever is nested in whatever comes back equal, of the same types, with the same hash."""
    again = _through(value)
    assert again == value
    assert _types(again) == _types(value)


@given(st.recursive(_ATOMS, _nested, max_leaves=6), st.recursive(_ATOMS, _nested, max_leaves=6))
def test_hashes_differ_where_values_do(one: t.Any, other: t.Any) -> None:
    """Equal values of equal types have one hash, others have another."""
    same = one == other and _types(one) == _types(other)
    if same:
        return  # 0.0 and -0.0 are equal, and two values
    assert Holder("a", x=one).hash != Holder("a", x=other).hash


def test_order_of_a_dict_and_a_set_is_no_difference() -> None:
    """Equal dicts have one hash."""
    assert Holder("a", x={"a": 1, "b": 2}) == Holder("a", x={"b": 2, "a": 1})
    assert Holder("a", x={1: 1, 2: 2}) == Holder("a", x={2: 2, 1: 1})


# --- what cannot be stored ---


def _locked() -> t.Any:
    lock = threading.Lock()
    return lambda: lock


def _own_list() -> list[t.Any]:
    items: list[t.Any] = []
    items.append(items)
    return items


def _own_object() -> Plain:
    plain = Plain([])
    plain.items.append(plain)  # type: ignore[arg-type]  # what is tested
    return plain


@pytest.mark.parametrize(
    ("value", "place", "why"),
    [
        (threading.Lock(), "`Holder:up`.x ", "_thread.lock"),
        ((1, {"k": threading.Lock()}), "`Holder:up`.x[1]['k'] ", "_thread.lock"),
        (Point(1, (threading.Lock(),)), "`Holder:up`.x.rest[0] ", "_thread.lock"),
        ([Holder("in", x=threading.Lock())], "`Holder:in`.x ", "_thread.lock"),
        ((n for n in "ab"), "`Holder:up`.x ", "generator"),
        (_locked(), "`Holder:up`.x ", "function"),
        (functools.lru_cache(len), "`Holder:up`.x ", "something else"),
        (io.StringIO("a"), "`Holder:up`.x ", "open file"),
        (
            [lambda file=io.StringIO(): file],  # noqa: B008  # what is tested
            "`Holder:up`.x[0] ",
            "open file",
        ),
        (_own_list(), "`Holder:up`.x[0] ", "contains itself"),
        (_own_object(), "`Holder:up`.x.items[0] ", "contains itself"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(value: t.Any, place: str, why: str) -> None:
    """The error is a TypeError that names the field, the index, the key."""
    with pytest.raises(EncodeError) as raised:
        nodes_of(Holder("up", x=value))
    assert isinstance(raised.value, TypeError)
    assert raised.value.code == "CH0908"
    assert raised.value.message.startswith(place)
    assert why in raised.value.message


def test_open_file_is_refused(tmp_path: Path) -> None:
    """An open file is not turned into something else in silence."""
    with (tmp_path / "a").open("w") as file, pytest.raises(EncodeError, match="open file"):
        nodes_of(Holder("up", x=file))


def test_component_in_its_own_fields_is_refused() -> None:
    """A circle of components names all that are in it."""
    one, two = Holder("one"), Holder("two")
    one.x, two.x = [two], {"k": one}
    with pytest.raises(EncodeError, match="`Holder:one` → `Holder:two` → `Holder:one`") as raised:
        nodes_of(one)
    assert raised.value.code == "CH0910"
    with pytest.raises(EncodeError):
        _ = one.hash


def test_two_components_of_one_name_are_refused() -> None:
    """One name is one component; two that are equal are one, too."""
    with pytest.raises(EncodeError, match="two different components are called `Holder:a`") as raised:
        nodes_of(Holder("up", x=[Holder("a", x=1), Holder("a", x=2)]))
    assert raised.value.code == "CH0909"
    nodes = nodes_of(Holder("up", x=[Holder("a", x=1), Holder("a", x=1)]))
    assert [node.key.identifier for node in nodes] == ["a", "up"]


# --- what was stored is not what it was ---


def test_blob_that_was_changed_is_refused() -> None:
    """Bytes are compared with their digest before they are used."""
    encoded = Holder("up", x=b"abc").encode()
    (name,) = [name for name, data in encoded["_blobs"].items() if data == b"abc"]
    encoded["_blobs"][name] = b"abd"
    with pytest.raises(DecodeError, match="was changed"):
        Holder.decode(encoded)
    del encoded["_blobs"][name]
    with pytest.raises(DecodeError, match="is missing"):
        Holder.decode(encoded)


def test_unknown_kind_and_other_python_are_refused() -> None:
    """What a newer chainctl or another Python stored is an error that says so."""
    encoded = Holder("up", x=(1,)).encode()
    encoded["x"] = {"$type": "quaternion", "v": 1}
    with pytest.raises(DecodeError, match="'quaternion' is unknown"):
        Holder.decode(encoded)
    encoded = Holder("up", x=lambda: 1).encode()
    encoded["x"]["python"] = "3.1"
    with pytest.raises(DecodeError, match=r"stored by Python 3\.1 "):
        Holder.decode(encoded)
    with pytest.raises(DecodeError, match="no encoded component"):
        Holder.decode({})


def test_postinit_runs_on_load_with_real_values() -> None:
    """A loaded component has everything in its fields when `postinit` is called."""
    assert isinstance(loaded(nodes_of(Sized("s", data=np.arange(3)))[-1]), Sized)
    again = Sized.decode(Sized("s", data=np.arange(3)).encode())
    assert again.length == 3


class Sized(chains.Component):
    """Looks at its field at once."""

    data: t.Any
    computed: int = dataclasses.field(default=7, init=False)

    def postinit(self) -> None:
        """Measure."""
        self.length = len(self.data)


# --- nodes ---


def test_children_come_before_their_parents() -> None:
    """A diamond has four nodes, each once, in the order in which they are applied."""
    bottom = Holder("bottom")
    left, right = Holder("left", x=bottom), Holder("right", x=[bottom])
    nodes = nodes_of(Holder("top", x=(left, {"k": right})))
    assert [node.key.identifier for node in nodes] == ["bottom", "left", "right", "top"]
    assert nodes[-1].children == (NodeKey("Holder", "left"), NodeKey("Holder", "right"))
    again = loaded(nodes[-1])
    assert isinstance(again, Holder)
    assert again.x[0].x is again.x[1]["k"].x[0]


def test_change_of_a_child_is_one_of_its_parents() -> None:
    """A parent's hash holds those of what it refers to."""
    assert Holder("a", x=Holder("b", x=1)).hash != Holder("a", x=Holder("b", x=2)).hash


@pytest.mark.parametrize(
    ("value", "wanted"), [(0, True), ("", True), ([], True), (False, True), (None, False)]
)
def test_required_field_is_given_unless_it_is_none(value: t.Any, *, wanted: bool) -> None:
    """`requires` asks whether a field was given, not whether it is true."""
    (node,) = nodes_of(Wants("w", x=value))
    assert [(spec.method, spec.is_wanted, spec.depends_on) for spec in node.triggers] == [
        ("first", True, ()),
        ("second", wanted, ("first",)),
    ]


class Wants(chains.Component):
    """Has a trigger that needs a field."""

    x: t.Any = None

    @chains.trigger("apply", depends_on="first", requires="x")
    def second(self) -> None:
        """Wait for the other."""

    @chains.trigger("apply")
    def first(self) -> None:
        """Run always."""


def test_encoded_form_has_the_known_shape() -> None:
    """The fields, what is referred to, and the blobs are where readers look for them."""
    encoded = Holder("up", x=[Holder("in"), b"x"]).encode()
    assert encoded["_path"].endswith("values:Holder")
    assert encoded["x"][0] == "?Holder:in"
    assert encoded["x"][1].startswith("&:blob:raw:")
    assert list(encoded["_builds"]) == ["Holder:in"]
    assert encoded["_source"].removeprefix("&:blob:source:") in encoded["_blobs"]
    assert text_of({key: each for key, each in encoded.items() if key != "_blobs"})
