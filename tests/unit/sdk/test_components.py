"""Components as users write them: declarations that cannot work, hooks, and when they are called."""

from __future__ import annotations

import abc
import asyncio
import dataclasses
import inspect
import typing as t
from collections.abc import Callable

import pytest

import chainctl as chains
from chainctl.errors import ComponentError, DefinitionError, MissingSecretError
from chainctl.sdk.trigger import circle_in, in_order, triggers_of

T = t.TypeVar("T")


# --- declarations that cannot work ---


def _circle() -> None:
    class Warm(chains.Component):
        @chains.trigger("apply", depends_on="c")
        def a(self) -> None: ...

        @chains.trigger("apply", depends_on="a")
        def b(self) -> None: ...

        @chains.trigger("apply", depends_on=["b"])
        def c(self) -> None: ...


def _itself() -> None:
    class Warm(chains.Component):
        @chains.trigger("apply", depends_on="a")
        def a(self) -> None: ...


def _unknown_depends_on() -> None:
    class Warm(chains.Component):
        def start(self) -> None: ...

        @chains.trigger("apply", depends_on="start")
        def go(self) -> None: ...


def _unknown_requires() -> None:
    class Warm(chains.Component):
        channel: str

        @chains.trigger("apply", requires="chanel")
        def go(self) -> None: ...


def _unknown_breaks() -> None:
    class Warm(chains.Component):
        breaks = ("size",)


def _unknown_event() -> None:
    class Warm(chains.Component):
        @chains.trigger("apply", "remove")
        def go(self) -> None: ...


def _no_event() -> None:
    class Warm(chains.Component):
        @chains.trigger()
        def go(self) -> None: ...


def _bare_trigger() -> None:
    class Warm(chains.Component):
        @chains.trigger  # type: ignore[arg-type]  # what is tested
        def go(self) -> None: ...  # type: ignore[misc]  # the same


def _reserved_field() -> None:
    class Warm(chains.Component):
        uuid: str


def _reserved_method() -> None:
    class Warm(chains.Component):
        def encode(self) -> dict[str, t.Any]:
            return {}


def _identifier_again() -> None:
    class Warm(chains.Component):
        identifier: str = "warm"


def _own_init() -> None:
    class Warm(chains.Component):
        def __init__(self, channel: str) -> None:
            self.channel = channel


def _with_arguments() -> None:
    class Warm(chains.Component):
        @chains.trigger("apply")
        def go(self, text: str, times: int = 1, *rest: str, channel: str, **more: str) -> None: ...


def _generator() -> None:
    class Warm(chains.Component):
        @chains.trigger("apply")
        def go(self) -> t.Iterator[int]:
            yield 1


@pytest.mark.parametrize(
    ("define", "code", "text"),
    [
        (_circle, "CH0901", "a → c → b → a"),
        (_itself, "CH0901", "a → a"),
        (_unknown_depends_on, "CH0902", "depends on `start`"),
        (_unknown_requires, "CH0903", "requires `chanel`"),
        (_unknown_breaks, "CH0903", "`size`"),
        (_unknown_event, "CH0904", "'remove'"),
        (_no_event, "CH0904", "no event"),
        (_bare_trigger, "CH0904", "without an event"),
        (_reserved_field, "CH0905", "`Warm.uuid` takes a field"),
        (_reserved_method, "CH0905", "`Warm.encode` takes a name"),
        (_identifier_again, "CH0905", "`Warm.identifier`"),
        (_own_init, "CH0906", "`__init__`"),
        (_generator, "CH0911", "generator"),
        (_with_arguments, "CH0911", "asks for `channel`, `text`, which nothing gives"),
    ],
)
def test_declaration_is_refused_when_the_class_is_made(
    define: Callable[[], None], code: str, text: str
) -> None:
    """What cannot work is a DefinitionError, which is a TypeError, as soon as the class is made."""
    with pytest.raises(DefinitionError) as raised:
        define()
    assert isinstance(raised.value, TypeError)
    assert raised.value.code == code
    assert text in raised.value.message
    assert raised.value.hint


class Plain(chains.Component):
    """A component with nothing but a field."""

    size: int = 1


@pytest.mark.parametrize("identifier", ["", "a b", "a:b", "a/b", ".a", "-a", "a\n", "ä", "a" * 129, None, 1])
def test_bad_identifier_is_refused(identifier: t.Any) -> None:
    """An identifier is a plain name."""
    with pytest.raises(DefinitionError) as raised:
        Plain(identifier)
    assert raised.value.code == "CH0907"


@pytest.mark.parametrize("identifier", ["a", "0", "phi-3.5_mini", "a" * 128])
def test_plain_identifier_is_taken(identifier: str) -> None:
    """Letters, digits, dots, underscores and hyphens are fine."""
    assert Plain(identifier).identifier == identifier


def test_all_faults_of_a_class_are_told_at_once() -> None:
    """The first fault is the message, the others are the details."""
    with pytest.raises(DefinitionError) as raised:

        class Warm(chains.Component):
            @chains.trigger("apply", depends_on="x", requires="y")
            def go(self) -> None: ...

    assert len(raised.value.details) == 1


# --- what a class of components is ---


def test_class_is_a_dataclass_with_keywords() -> None:
    """Only the identifier is positional; defaults may stand before fields without one."""

    class Two(Plain):
        name: str

    assert [field.name for field in dataclasses.fields(Two)] == ["identifier", "size", "name"]
    assert Two("a", name="x") == Two("a", name="x", size=1)
    with pytest.raises(TypeError):
        Two("a", "x")  # type: ignore[call-arg, arg-type]  # what is tested


def test_class_may_be_decorated_again() -> None:
    """A `@dataclass` above the class changes neither equality nor hash."""

    @dataclasses.dataclass
    class Again(chains.Component):
        size: int = 1

    assert Again("a", size=2) == Again("a", size=2)
    assert Again("a", size=2) != Again("a", size=3)
    assert hash(Again("a")) == hash(Again("a", size=2)) == hash(("Again", "a"))
    assert repr(Again("a")) == "Again('a')"


def test_class_mixes_with_abstract_and_generic_classes() -> None:
    """There is no metaclass that others could clash with."""

    class Store(chains.Component, abc.ABC, t.Generic[T]):
        @abc.abstractmethod
        def put(self, item: T) -> None: ...

    class Files(Store[str]):
        directory: str = "/tmp"

        def put(self, item: str) -> None: ...

    assert Files("a").directory == "/tmp"
    with pytest.raises(TypeError, match="abstract"):
        Store("a")  # type: ignore[abstract]  # what is tested


def test_hash_of_a_set_is_by_class_and_identifier() -> None:
    """Components can be kept in sets; equal are those with equal contents."""
    assert len({Plain("a"), Plain("a"), Plain("b"), Plain("a", size=2)}) == 3


def test_inherited_trigger_runs_and_plain_override_does_not() -> None:
    """A subclass has the triggers of its bases, except those that it defines as plain methods."""

    class Base(chains.Component):
        @chains.trigger("apply")
        def a(self) -> None: ...

        @chains.trigger("apply")
        def b(self) -> None: ...

    class Sub(Base):
        def b(self) -> None: ...

    assert list(triggers_of(Base)) == ["a", "b"]
    assert list(triggers_of(Sub)) == ["a"]


def test_order_is_by_dependencies_then_names() -> None:
    """A diamond, and what stands alone, come in one order."""
    waits = {"z": (), "d": ("b", "c"), "c": ("a",), "b": ("a",), "a": ()}
    assert in_order(waits) == ("a", "b", "c", "d", "z")
    assert circle_in(waits) == ()
    assert circle_in({"a": ("b",), "b": ("c",), "c": ("b",)}) == ("b", "c", "b")


# --- hooks ---


class Recorder(chains.Component):
    """Writes down what is called."""

    fail: bool = False

    def postinit(self) -> None:
        """Begin the list."""
        self.calls: list[str] = ["postinit"]

    def setup(self) -> None:
        """Fail when asked to."""
        self.calls.append("setup")
        if self.fail:
            raise OSError("no network")

    @chains.trigger("apply")
    def start(self) -> str:
        """Return something."""
        self.calls.append("start")
        return "started"


def test_setup_is_called_once_before_triggers() -> None:
    """A direct call of a trigger sets the component up; the next one does not."""
    component = Recorder("a")
    assert component.calls == ["postinit"]
    assert component.start() == "started"
    component.start()
    assert component.calls == ["postinit", "setup", "start", "start"]


def test_a_call_of_setup_by_the_user_counts() -> None:
    """A user may call `setup` as often as they like; triggers then do not."""
    component = Recorder("a")
    component.setup()
    component.setup()
    component.start()
    assert component.calls == ["postinit", "setup", "setup", "start"]


def test_setup_that_raised_is_tried_again() -> None:
    """A failed `setup` does not count."""
    component = Recorder("a", fail=True)
    with pytest.raises(OSError, match="no network"):
        component.start()
    component.fail = False
    component.start()
    assert component.calls == ["postinit", "setup", "setup", "start"]


def test_setup_of_a_mix_in_and_of_a_base_count() -> None:
    """Where `setup` comes from makes no difference."""

    class Opens:
        def setup(self) -> None:
            self.count = getattr(self, "count", 0) + 1

    class Mixed(Opens, chains.Component):
        @chains.trigger("apply")
        def go(self) -> int:
            return self.count

    class Sub(Mixed):
        def setup(self) -> None:
            super().setup()

    for cls in (Mixed, Sub):
        component = cls("a")
        assert [component.go(), component.go()] == [1, 1]


def test_setup_may_call_a_trigger() -> None:
    """A trigger that is called in `setup` does not call `setup` again."""

    class Circular(chains.Component):
        def setup(self) -> None:
            self.go()

        @chains.trigger("apply")
        def go(self) -> int:
            return 1

    assert Circular("a").go() == 1


def test_async_triggers_and_setup_can_be_awaited() -> None:
    """An async trigger awaits an async `setup` first, once."""

    class Async(chains.Component):
        async def setup(self) -> None:
            self.count = getattr(self, "count", 0) + 1

        @chains.trigger("apply")
        async def go(self) -> int:
            return self.count

        @chains.trigger("apply")
        def plain(self) -> int:
            return self.count

    component = Async("a")
    assert asyncio.run(component.go()) == 1
    assert component.plain() == 1
    assert Async("b").plain() == 1


# --- the class of the specification, as printed but for what stands for Slack ---


class Client:
    """Stands for a client of Slack's."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def register(self, name: str) -> None:
        """Write it down."""
        self.log.append(f"register {name}")

    def send_message(self, text: str) -> None:
        """Write it down."""
        self.log.append(text)


LOG: list[str] = []


class MyComponent(chains.Component):
    """As in the specification; `postinit` is guarded, since `d` may be left out."""

    a: int
    b: str
    c: t.Dict  # type: ignore[type-arg]  # as printed
    d: t.Callable | None = None  # type: ignore[type-arg]  # as printed

    def postinit(self) -> None:
        """Check the function."""
        if self.d is not None:
            assert {"a", "b", "c"}.issubset(set(inspect.signature(self.d).parameters.keys()))

    def setup(self) -> None:
        """Connect."""
        LOG.append("setup")
        self.client = Client(LOG)

    def on_create(self) -> None:
        """Register."""
        self.setup()
        self.client.register(self.identifier)

    @chains.trigger("apply")
    def start(self) -> None:
        """Say hello."""
        self.client.send_message(f"initializing {self.huuid}")

    @chains.trigger("apply", depends_on="start", requires="d")
    def go(self) -> None:
        """Call the function."""
        assert self.d is not None
        self.d(a=self.a, b=self.b, c=self.c)


def test_class_of_the_specification() -> None:
    """Its hooks and triggers do what the specification says, with and without `d`."""
    LOG.clear()
    component = MyComponent("one", a=1, b="2", c={}, d=lambda a, b, c: LOG.append(f"{a} {b} {c}"))
    component.on_create()
    component.start()
    component.go()
    assert ["setup", "register one", f"initializing {component.huuid}", "1 2 {}"] == LOG
    assert component.huuid == f"MyComponent:one:{component.uuid}"
    assert MyComponent("two", a=1, b="2", c={}).d is None
    with pytest.raises(AssertionError):
        MyComponent("three", a=1, b="2", c={}, d=lambda a: None)


# --- the rest ---


def test_properties_before_a_component_is_applied() -> None:
    """It is new, has no version and no database, and says what it refers to."""

    class Holder(chains.Component):
        parts: list[chains.Component]

    parts: list[chains.Component] = [Plain("a"), Plain("b")]
    holder = Holder("h", parts=parts)
    assert (holder.version, holder.status, holder.db, holder.component) == (None, "new", None, "Holder")
    assert holder.children == tuple(parts)
    assert "?Plain:a" not in holder.show()
    assert holder.show().startswith("Holder:h  (new)\n")


def test_diff_names_fields_with_both_values() -> None:
    """Equal components differ in nothing; of others each field is named."""
    assert Plain("a").diff(Plain("a")) == {}
    assert Plain("a").diff(Plain("a", size=2)) == {"size": (1, 2)}
    with pytest.raises(ComponentError, match="cannot be compared"):
        Plain("a").diff(Recorder("a"))


def test_uuid_changes_with_what_breaks_only() -> None:
    """`breaks` names the fields that make another version; the hash is over all."""

    class Table(chains.Component):
        breaks = ("schema",)
        schema: str
        comment: str = ""

    table = Table("t", schema="a")
    assert table.uuid == Table("t", schema="a", comment="x").uuid
    assert table.hash != Table("t", schema="a", comment="x").hash
    assert table.uuid != Table("t", schema="b").uuid
    assert table.uuid != Table("u", schema="a").uuid


def test_output_is_no_part_of_what_a_component_is() -> None:
    """A field that triggers compute changes neither hash nor equality."""

    class Fetched(chains.Component):
        size: int | None = chains.output(default=None)

    one, two = Fetched("a"), Fetched("a")
    one.size = 3
    assert one == two
    assert one.diff(two) == {}


def test_secret_is_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is read when it is asked for, and is not shown."""
    secret = chains.Secret("CHAINCTL_TEST_TOKEN")
    monkeypatch.delenv("CHAINCTL_TEST_TOKEN", raising=False)
    with pytest.raises(MissingSecretError, match="CHAINCTL_TEST_TOKEN"):
        _ = secret.value
    given = secret.given("hunter22")
    assert given.value == "hunter22"
    assert "hunter22" not in repr(given)
    assert given == secret


@pytest.mark.parametrize(
    "make",
    [
        lambda: chains.Download("d", sha256="0" * 64, dest="/d"),
        lambda: chains.Download("d", url="https://x/u", path="p", sha256="0" * 64, dest="/d"),
        lambda: chains.Download("d", url="https://x/u", sha256="0" * 63 + "g", dest="/d"),
        lambda: chains.Download("d", url="https://x/u", sha256="0" * 64, dest="d"),
        lambda: chains.Download("d", url="ftp://x/u", sha256="0" * 64, dest="/d"),
        lambda: chains.Download("d", path="p", sha256="0" * 64, dest="/"),
        lambda: chains.Download("d", path="p", sha256="0" * 64, dest="/usr/"),
        lambda: chains.Download("d", path="p", sha256="0" * 64, dest="/app/code"),
        lambda: chains.SmokeTest("s", chain=chains.this_chain(), gate=t.cast("t.Any", "yes")),
        lambda: chains.SmokeTest("s", chain=chains.this_chain(), payload=["Ada"]),
        lambda: chains.Command("c", argv="make warm"),
        lambda: chains.Command("c", argv=[]),
    ],
)
def test_built_in_component_checks_its_fields(make: Callable[[], chains.Component]) -> None:
    """A download has one source, a digest and a place of its own; a gate is one or none; a command has words."""
    with pytest.raises(DefinitionError) as raised:
        make()
    assert raised.value.code == "CH0912"


def test_built_in_components_are_run_by_the_command() -> None:
    """Their triggers are names for the command; called from Python they say so."""
    with pytest.raises(ComponentError, match="run by the command"):
        chains.Command("c", argv=["true"]).run()
    assert chains.this_chain().urls == ()
