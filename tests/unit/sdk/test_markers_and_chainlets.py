"""`depends`, `depends_context`, the entrypoint mark, and who may create chainlets."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Optional, Protocol

import pydantic
import pytest

import chainctl as chains
from chainctl.calls.arguments import arguments_codec
from chainctl.sdk.chainlet import entrypoint_mark, has_own_init, is_chainlet
from chainctl.sdk.checks import problems_of
from chainctl.sdk.declaration import declaration_of
from chainctl.sdk.markers import options_of, target_of
from chainctl.sdk.resolver import CURRENT_RESOLVER, Resolver


class Dep(chains.ChainletBase):
    def run_remote(self, number: int) -> int:
        return number


class Main(chains.ChainletBase):
    remote_config = chains.RemoteConfig(name="main-one")

    def __init__(
        self, dep: Dep = chains.depends(Dep, retries=2), context: Any = chains.depends_context()
    ) -> None:
        self.dep = dep
        self.context = context

    async def run_remote(self, number: int = 3, *, name: str = "a") -> str:
        return name * number


class Answers:
    """A resolver that gives what it was made of."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[type] = []

    def arguments(self, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(cls)
        return {**self.answers, **given}


def under(resolver: Resolver, work: Callable[[], Any]) -> Any:
    """Do some work while a resolver is the current one."""
    token = CURRENT_RESOLVER.set(resolver)
    try:
        return work()
    finally:
        CURRENT_RESOLVER.reset(token)


def test_depends_carries_its_options() -> None:
    """A marker remembers what it stands for and how it is to be called, and prints as it was written."""
    marker: Any = chains.depends(Dep, 3, 1.5, True, 7)
    assert target_of(marker) is Dep
    assert options_of(marker) == chains.RPCOptions(
        retries=3, timeout_sec=1.5, use_binary=True, concurrency_limit=7
    )
    assert options_of(chains.depends("Dep")) == chains.RPCOptions()
    assert (repr(marker), repr(chains.depends("Later"))) == ("chains.depends(Dep)", "chains.depends(Later)")
    assert repr(chains.depends_context()) == "chains.depends_context()"


def test_depends_refuses_bad_options_at_once() -> None:
    """Options that cannot work are refused where they are written."""
    with pytest.raises(pydantic.ValidationError, match="retries"):
        chains.depends(Dep, retries=0)


def test_touching_a_dependency_marker_says_what_is_wrong() -> None:
    """Using a marker as if it were the chainlet names the dependency and the correct place."""
    marker: Any = chains.depends(Dep)
    with pytest.raises(
        chains.ChainsRuntimeError, match=r"`chains\.depends\(Dep\)`.*`\.run_remote`"
    ) as caught:
        marker.run_remote(1)
    assert "def __init__(self, dep=chains.depends(Dep))" in caught.value.hint
    assert "super().__init__(dep=dep)" in caught.value.hint


def test_touching_a_context_marker_says_what_is_wrong() -> None:
    """Using the context's marker as if it were the context names the correct signature."""
    with pytest.raises(chains.ChainsRuntimeError, match=r"depends_context\(\)`.*`\.secrets`") as caught:
        _ = chains.depends_context().secrets
    assert "context: chains.DeploymentContext = chains.depends_context()" in caught.value.hint


def test_markers_bear_pythons_own_questions() -> None:
    """What Python and its tools ask of every object is no misuse: copying, probing for dunder names."""
    for marker in (chains.depends(Dep), chains.depends_context()):
        assert not hasattr(marker, "__wrapped__")
        assert repr(copy.copy(marker)) == repr(marker)
        assert entrypoint_mark(marker) is None


def test_entrypoint_mark_in_its_three_forms() -> None:
    """The mark works bare, with empty parentheses and with a name, and gives the class back."""

    class Plain(Dep):
        pass

    class Called(Dep):
        pass

    class Named(Dep):
        pass

    assert chains.mark_entrypoint(Plain) is Plain
    assert chains.mark_entrypoint()(Called) is Called
    assert chains.mark_entrypoint("My Chain")(Named) is Named
    names = [mark.chain_name for cls in (Plain, Called, Named) if (mark := entrypoint_mark(cls))]
    assert names == [None, None, "My Chain"]


def test_entrypoint_mark_is_not_inherited() -> None:
    """A subclass of an entrypoint is none, unless it is marked itself."""

    @chains.mark_entrypoint("base")
    class Base(Dep):
        pass

    class Derived(Base):
        pass

    assert entrypoint_mark(Base) is not None
    assert entrypoint_mark(Derived) is None
    assert entrypoint_mark(Base()) is None


def test_entrypoint_mark_on_a_builtin() -> None:
    """Something that cannot carry a mark is refused with the place where it belongs."""
    with pytest.raises(chains.ChainsUsageError, match="no chainlet class") as caught:
        chains.mark_entrypoint(int)
    assert "directly above a class" in caught.value.hint


def test_creating_a_chainlet_needs_a_resolver() -> None:
    """A chainlet with an `__init__` cannot be created where nobody answers its questions."""
    with pytest.raises(chains.ChainsRuntimeError, match="`Main` was created directly") as caught:
        Main()
    assert "chains.run_local(): Main()" in caught.value.hint


def test_chainlet_without_init_can_be_created_anywhere() -> None:
    """A chainlet that asks for nothing is an ordinary object."""
    assert Dep().run_remote(3) == 3
    assert not has_own_init(Dep)


def test_positional_arguments_are_refused() -> None:
    """Chainlets are created with keyword arguments only, inside a resolver too."""
    with pytest.raises(chains.ChainsRuntimeError, match="positional") as caught:
        under(Answers(), lambda: Main(Dep()))
    assert "keyword" in caught.value.hint


def test_resolver_answers_and_given_arguments_win() -> None:
    """The current resolver fills in the arguments; what is given by name comes before."""
    resolver = Answers(dep="answered", context="context")
    made = under(resolver, lambda: Main(dep="given"))  # type: ignore[arg-type]  # a stand-in
    assert (made.dep, made.context) == ("given", "context")
    assert resolver.asked == [Main]
    assert CURRENT_RESOLVER.get() is None


def test_init_cannot_create_chainlets() -> None:
    """A chainlet's own `__init__` may create no other chainlet, as it may not when deployed."""

    class Creates(chains.ChainletBase):
        def __init__(self) -> None:
            self.main = Main()

        def run_remote(self) -> int:
            return 1

    with pytest.raises(chains.ChainsRuntimeError, match="`Main` was created directly"):
        under(Answers(), Creates)


def test_subclass_hands_a_dependency_on() -> None:
    """`super().__init__` is an ordinary call: no resolver is asked again."""

    class Derived(Main):
        def __init__(self, dep: Any = chains.depends(Dep)) -> None:
            super().__init__(dep=dep, context=None)

    resolver = Answers(dep="dep")
    assert under(resolver, Derived).dep == "dep"
    assert resolver.asked == [Derived]


def test_display_name() -> None:
    """A chainlet is called by its configuration, else by its class."""
    assert (Main.display_name, Dep.display_name) == ("main-one", "Dep")


def test_declaration() -> None:
    """A class's declaration holds its endpoint, its dependencies and what it wants."""
    declaration = declaration_of(Main)
    endpoint = declaration.endpoint
    assert [(p.name, p.annotation, p.is_required) for p in endpoint.parameters] == [
        ("number", int, False),
        ("name", str, False),
    ]
    assert (endpoint.returns, endpoint.is_async, endpoint.is_stream) == (str, True, False)
    assert [(d.argument, d.target, d.options.retries) for d in declaration.dependencies] == [("dep", Dep, 2)]
    assert declaration.wants_context
    assert declaration.display_name == "main-one"


class Streaming(chains.ChainletBase):
    async def run_remote(self, size: int, items: AsyncIterable[Optional[int]]) -> AsyncIterator[bytes]:
        async for item in items:
            yield bytes(item or size)


class Talking(chains.ChainletBase):
    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None: ...


class Counting(chains.ChainletBase):
    def run_remote(self, size: int) -> Iterator[int]:
        yield from range(size)


def test_endpoint_that_takes_a_stream() -> None:
    """The stream is told from the arguments that travel as values."""
    endpoint = declaration_of(Streaming).endpoint
    assert (endpoint.item_parameter, endpoint.item_annotation) == ("items", Optional[int])
    assert [p.name for p in endpoint.parameters] == ["size", "items"]
    assert [p.name for p in endpoint.value_parameters] == ["size"]
    assert (endpoint.is_async, endpoint.is_stream, endpoint.returns) == (True, True, bytes)
    assert arguments_codec("Streaming", endpoint).decode(b'{"size": 1}') == {"size": 1}


def test_endpoint_that_takes_a_websocket() -> None:
    """The connection is no value either."""
    endpoint = declaration_of(Talking).endpoint
    assert (endpoint.is_websocket, endpoint.item_parameter, endpoint.value_parameters) == (True, None, ())
    assert not declaration_of(Streaming).endpoint.is_websocket


def test_endpoint_that_is_a_sync_generator() -> None:
    """It streams and is not async; nothing is wrong with it."""
    endpoint = declaration_of(Counting).endpoint
    assert (endpoint.is_async, endpoint.is_stream, endpoint.returns) == (False, True, int)
    assert problems_of(Counting) == []


def test_declaration_of_an_unknown_name() -> None:
    """A dependency by name that its module lacks cannot be declared."""

    class Lost(chains.ChainletBase):
        def __init__(self, dep: Any = chains.depends("NoSuchChainlet")) -> None: ...

        def run_remote(self) -> int:
            return 1

    with pytest.raises(NameError, match="NoSuchChainlet"):
        declaration_of(Lost)


def test_protocol_annotation_is_fine() -> None:
    """A dependency may be annotated by a Protocol, by a base class, or not at all."""

    class Numbers(Protocol):
        def run_remote(self, number: int) -> int: ...

    class ByProtocol(chains.ChainletBase):
        def __init__(self, dep: Numbers = chains.depends(Dep)) -> None: ...

        def run_remote(self) -> int:
            return 1

    assert problems_of(ByProtocol) == []


def test_what_is_a_chainlet() -> None:
    """Classes derived from the base are chainlets; the base itself, objects and other classes are not."""
    assert is_chainlet(Dep)
    assert not any(is_chainlet(value) for value in (chains.ChainletBase, Dep(), int, 3, None))
