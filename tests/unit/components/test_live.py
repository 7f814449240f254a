"""Hooks and triggers of components of this process, run by their nodes."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

import chainctl as chains
from chainctl.components.live import LiveRunner, components_below
from chainctl.components.node import NodeKey
from chainctl.components.nodes import CHAIN, bound, nodes_of, reaching


class Recorder(chains.Component):
    """Writes down what is called, half of it async."""

    log: t.Any = None
    fail: str = ""

    def _note(self, name: str) -> None:
        self.log.append(name)
        if self.fail == name:
            raise OSError(name)

    async def setup(self) -> None:
        """Make something that belongs to an event loop."""
        self._note("setup")
        self.lock = asyncio.Lock()

    def on_create(self) -> None:
        """Be written down."""
        self._note("on_create")

    async def cleanup(self) -> None:
        """Be written down."""
        self._note("cleanup")

    @chains.trigger("apply")
    async def one(self) -> tuple[int, set[int]]:
        """Use what `setup` made."""
        async with self.lock:
            await asyncio.sleep(0)
        self._note("one")
        return (1, set())

    @chains.trigger("apply", depends_on="one")
    def two(self) -> dict[int, int]:
        """Be written down."""
        self._note("two")
        return {1: 2}


def test_hooks_and_triggers_run_on_the_instance() -> None:
    """`setup` runs once, async triggers share a loop, results are JSON or a text."""
    component = Recorder("a", log=[])
    (node,) = nodes_of(component)
    with LiveRunner([component]) as runner:
        runner.create(node)
        assert runner.run(node, "one") == "(1, set())"
        assert runner.run(node, "two") == {"1": 2}
        runner.cleanup(node)
    assert component.log == ["on_create", "setup", "one", "two", "cleanup"]


def test_cleanup_alone_sets_up_first() -> None:
    """A component that is removed in another process is loaded, set up, cleaned up."""
    (node,) = nodes_of(Recorder("a", log=[]))
    with LiveRunner() as runner:
        runner.cleanup(node)
        loaded = runner.component(node)
    assert isinstance(loaded, Recorder)
    assert loaded.log == ["setup", "cleanup"]


@pytest.mark.parametrize(("fail", "method"), [("one", "one"), ("two", "two"), ("setup", "two")])
def test_what_the_code_raises_comes_out(fail: str, method: str) -> None:
    """The error is that of the user's code, from `setup` and async triggers as well."""
    component = Recorder("a", log=[], fail=fail)
    (node,) = nodes_of(component)
    with LiveRunner([component]) as runner, pytest.raises(OSError, match=fail):
        runner.run(node, method)


def test_runner_works_inside_of_a_running_loop() -> None:
    """Who applies components in async code can have async triggers."""
    component = Recorder("a", log=[])

    async def apply() -> object:
        with LiveRunner([component]) as runner:
            return runner.run(nodes_of(component)[0], "one")

    assert asyncio.run(apply()) == "(1, set())"


def test_hooks_that_are_not_there_do_nothing() -> None:
    """A component without hooks can be created and cleaned up."""
    smoke = chains.SmokeTest("s", chain=chains.this_chain())
    (node,) = nodes_of(smoke)
    with LiveRunner([smoke]) as runner:
        runner.create(node)
        runner.cleanup(node)


# --- the chain that components are declared with ---


def test_what_refers_to_the_chain_is_known() -> None:
    """Directly or by way of others; the placeholder itself is no node."""
    weights = chains.Download("weights", url="https://example.com/u", sha256="0" * 64, dest="/d")
    smoke = chains.SmokeTest("smoke", chain=chains.this_chain())
    after = chains.Command("after", argv=["true"], after=smoke)
    nodes = nodes_of(weights, smoke, after)
    assert [node.key.identifier for node in nodes] == ["weights", "smoke", "after"]
    assert nodes[1].children == (CHAIN,)
    assert {key.identifier for key in reaching(nodes)} == {"smoke", "after"}


def test_a_chain_takes_the_place_of_its_placeholder() -> None:
    """Who refers to it gets its key, and its digest into the hash; others stay as they are."""
    weights = chains.Download("weights", url="https://example.com/u", sha256="0" * 64, dest="/d")
    smoke = chains.SmokeTest("smoke", chain=chains.this_chain())
    nodes = nodes_of(weights, smoke)
    chain = NodeKey("ChainDeployment", "Hello")
    one, other = bound(nodes, chain, "1"), bound(nodes, chain, "2")
    assert one[0] == other[0] == nodes[0]
    assert one[1].children == (chain,)
    assert len({node.hash for node in (nodes[1], one[1], other[1])}) == 3
    assert bound(nodes, chain, "1") == one


def test_components_below_are_found() -> None:
    """A component with all that it refers to, by key."""
    smoke = chains.SmokeTest("smoke", chain=chains.this_chain())
    after = chains.Command("after", argv=["true"], after=smoke)
    assert {key.identifier for key in components_below(after)} == {"after", "smoke", "$this"}
