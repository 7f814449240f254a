"""Pictures of a graph: a diamond drawn in every format."""

from __future__ import annotations

from chainctl.graph.drawing import dot, graph_json, mermaid, tree
from chainctl.graph.graph import ChainGraph, ChainletSpec, Edge


def _spec(name: str) -> ChainletSpec:
    return ChainletSpec(name, name, "chain", name, "/p/chain.py", 1, {}, True, False, {}, {}, ())


def _edge(caller: str, callee: str) -> Edge:
    return Edge(caller, callee, callee.lower(), 1, 600.0)


DIAMOND = ChainGraph(
    chain="diamond",
    root="/p",
    path="/p/chain.py",
    entrypoint="Top",
    chainlets=tuple(_spec(name) for name in ("Base", "Left", "Right", "Top")),
    edges=(_edge("Left", "Base"), _edge("Right", "Base"), _edge("Top", "Left"), _edge("Top", "Right")),
)


def test_tree() -> None:
    """Each dependency below its caller, with the argument that it is given as."""
    assert tree(DIAMOND) == (
        "diamond\n"
        "└─ Top\n"
        "   ├─ Left as left\n"
        "   │  └─ Base as base\n"
        "   └─ Right as right\n"
        "      └─ Base as base"
    )


def test_a_part_that_was_drawn_is_not_drawn_again() -> None:
    """A chainlet with dependencies of its own appears in full once."""
    twice = ChainGraph(
        "c", "/p", "/p/c.py", "Top", DIAMOND.chainlets, (*DIAMOND.edges, _edge("Right", "Left"))
    )
    assert "Left as left (see above)" in tree(twice)
    assert tree(twice).count("Base as base") == 2


def test_mermaid() -> None:
    """Nodes by number, so that no name can break the syntax."""
    lines = mermaid(DIAMOND).splitlines()
    assert lines[:2] == ["flowchart TD", '  door(("diamond")) --> c3']
    assert "  c1 -->|base| c0" in lines
    assert '  c3["Top"]' in lines


def test_dot() -> None:
    """The entrypoint stands out; edges carry the argument."""
    text = dot(DIAMOND)
    assert text.startswith('digraph "diamond" {')
    assert '"Top" [shape=box, style=bold];' in text
    assert '"Top" -> "Left" [label="left"];' in text


def test_json() -> None:
    """Everything that the picture has, as values."""
    value = graph_json(DIAMOND)
    assert value["entrypoint"] == "Top"
    assert [c["name"] for c in value["chainlets"]] == ["Base", "Left", "Right", "Top"]
    assert value["edges"][0] == {
        "caller": "Left",
        "callee": "Base",
        "argument": "base",
        "retries": 1,
        "timeout_sec": 600.0,
    }
