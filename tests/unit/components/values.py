"""Values that are hard to store, and the classes that they are of."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import math
import pathlib
import sys
import typing as t
import uuid

import numpy as np
import pydantic

import chainctl as chains

UTC = datetime.UTC


class Holder(chains.Component):
    """Holds one value."""

    x: t.Any = None

    def method(self) -> str:
        """Can be held by another."""
        return self.identifier


class Color(enum.Enum):
    """An enumeration."""

    RED = "r"


class Access(enum.Flag):
    """Flags, which can be combined."""

    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True)
class Point:
    """A frozen dataclass."""

    x: int
    rest: tuple[t.Any, ...] = ()


@dataclasses.dataclass(frozen=True)
class Slotted:
    """One without a `__dict__`."""

    __slots__ = ("x",)
    x: int


class Model(pydantic.BaseModel):
    """A model with what JSON does not have."""

    sizes: tuple[int, ...]
    extra: t.Any = None
    _seen: int = pydantic.PrivateAttr(default=0)


class Pair(t.NamedTuple):
    """A named tuple."""

    a: int
    b: str


class Plain:
    """A class without any help."""

    def __init__(self, items: list[int]) -> None:
        self.items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and self.items == other.items

    def __hash__(self) -> int:
        return len(self.items)


def double(x: int) -> int:
    """A function of a module."""
    return 2 * x


@functools.lru_cache
def triple(x: int) -> int:
    """A function that something stands round."""
    return 3 * x


halve = lambda x: x / 2  # noqa: E731  # a lambda with a name


def adder(n: int) -> t.Callable[[int], int]:
    """Make a closure."""
    return lambda x: x + n


def seen_model() -> Model:
    """A model with a private value, and only one field that was given."""
    model = Model(sizes=(1, 2))
    model._seen = 3
    return model


VALUES: dict[str, t.Any] = {
    "none": None,
    "true": True,
    "one": 1,
    "big": 2**80,
    "very big": -(10**5000),
    "float": 0.1,
    "negative zero": -0.0,
    "infinity": -math.inf,
    "empty": "",
    "blob name": "&:blob:raw:00",
    "reference": "?Holder:a",
    "nul": "\0",
    "surrogate": "\udc80",
    "two surrogates": "\ud800\udc00",
    "astral": "\U00010000",
    "bytes": b"\0\xff",
    "no bytes": b"",
    "bytearray": bytearray(b"x"),
    "nested tuples": (1, (2, [3, ()])),
    "set": {1, "a", (2,)},
    "frozenset": frozenset([frozenset(), 1]),
    "dict": {"b": 1, "a": {"c": [1]}},
    "typed dict": {"$type": "tuple", "v": [1]},
    "dict with keys": {1: 2, (1, 2): 3, None: 4},
    "dict with odd keys": {"?a": 1, "&:": 2, "\ud800": 3},
    "datetime": datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
    "aware datetime": datetime.datetime(2024, 2, 29, tzinfo=UTC),
    "offset datetime": datetime.datetime(
        2024, 2, 29, tzinfo=datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))
    ),
    "named zone": datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone(datetime.timedelta(0), "X")),
    "fold": datetime.datetime(2024, 2, 29, fold=1),
    "date": datetime.date(1, 1, 1),
    "time": datetime.time(1, 2, tzinfo=UTC),
    "timedelta": datetime.timedelta(-1, 2, 3),
    "uuid": uuid.UUID(int=5),
    "path": pathlib.Path("/a/ü"),
    "pure path": pathlib.PurePosixPath("?a"),
    "windows path": pathlib.PureWindowsPath("C:\\a"),
    "decimal": decimal.Decimal("1.50"),
    "fraction": fractions.Fraction(1, 3),
    "complex": complex(1, -2),
    "range": range(1, 5, 2),
    "ellipsis": ...,
    "ordered": collections.OrderedDict(b=1, a=2),
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1, 2], maxlen=3),
    "defaultdict": collections.defaultdict(list, {1: [2]}),
    "enum": Color.RED,
    "flags": Access.READ | Access.WRITE,
    "dataclass": Point(1, (2, [3])),
    "slotted": Slotted(1),
    "model": Model(sizes=(1,), extra=(Color.RED, {1: 2})),
    "model in part": seen_model(),
    "named tuple": Pair(1, "b"),
    "object": Plain([1]),
    "function": double,
    "named lambda": halve,
    "class": Point,
    "enum class": Color,
    "component class": Holder,
    "builtin": len,
    "unbound method": str.upper,
    "class method": dict.fromkeys,
    "module": sys,
    "generic": list[int],
    "optional": t.Optional[int],
    "union": int | None,
    "type of none": type(None),
    "secret": chains.Secret("TOKEN"),
    "scalar": np.float64(1.5),
    "datetime64": np.datetime64("2020-01-01"),
    "dtype": np.dtype(">f4"),
    "ufunc": np.add,
    "component": Holder("inner", x=(1,)),
    "components": [Holder("c"), {"k": (Holder("d"), Holder("c"))}],
    "component in an object": Point(1, (Holder("e"),)),
}

ARRAYS: dict[str, t.Any] = {
    "long": np.arange(5000),
    "0-d": np.array(3),
    "empty": np.zeros((0, 3)),
    "big-endian": np.arange(3, dtype=">i4"),
    "nan": np.array([np.nan, 1]),
    "objects": np.array([{"a": (1,)}, Color.RED, None], dtype=object),
    "0-d object": np.array({"a": 1}, dtype=object),
    "structured": np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]),
    "fortran": np.asfortranarray(np.ones((2, 3))),
    "strings": np.array(["a", "bcd"]),
    "times": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "masked": np.ma.masked_array([1, 2], mask=[True, False]),
}

CALLABLES: dict[str, tuple[t.Any, t.Any]] = {
    "closure": (adder(3), 5),
    "lambda": (lambda x: double(x) + 1, 5),
    "partial": (functools.partial(pow, 2), 4),
    "partial of a lambda": (functools.partial(lambda a, b: a - b, 9), 7),
    "cached": (triple, 6),
    "bound method": (Holder("m").method, "m"),
    "method of a text": ("a-b".split, ["a", "b"]),
}

CALLS: dict[str, tuple[t.Any, ...]] = {"bound method": (), "method of a text": ("-",)}
