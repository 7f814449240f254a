"""The text of a YAML file in; a tree of nodes that know their places, with what is wrong in the text, out.

Nothing is constructed but texts, numbers and the like. Size, levels and the nodes that aliases stand for are
bounded, so that no text takes more time or memory than a configuration does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from chainctl.graph.truss_directory.findings import CONFIG, START, UNREADABLE, Findings, Place

MOST_CHARACTERS = 256 * 1024
MOST_NODES = 20_000
MOST_LEVELS = 40
_LONGEST_NUMBER = 40
_CORE = "tag:yaml.org,2002:"
_MERGE = f"{_CORE}merge"
_HIDDEN = "secrets"
_KINDS = frozenset(["str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge", "value"])


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: its text as it is written, what YAML takes it for ("str", "int", …), and what that means.

    `value` is None also for a number that JSON has no form for.
    """

    text: str
    kind: str
    value: str | int | float | bool | None
    place: Place


@dataclass(frozen=True, slots=True)
class Listing:
    """Several values in their order."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping, and its value."""

    key: Scalar
    node: Node


@dataclass(frozen=True, slots=True)
class Table:
    """Values by keys."""

    entries: tuple[Entry, ...]
    place: Place

    def entry(self, name: str) -> Entry | None:
        """Return the entry of a key, None where there is none."""
        return next((entry for entry in self.entries if entry.key.text == name), None)


Node: TypeAlias = Scalar | Listing | Table


def tree_of(text: str, found: Findings) -> Table:
    """Read a text that is a mapping; an empty one where it is empty, or where a problem was found."""
    nothing = Table((), START)
    if len(text) > MOST_CHARACTERS:
        message = f"{CONFIG} has more than {MOST_CHARACTERS} characters"
        found.add(START, message, help="put what is large into a file beside it", code=UNREADABLE)
        return nothing
    try:
        composed = _Composer(text).get_single_node()
        tree = _Tree(found).read(composed) if composed is not None else nothing
    except yaml.YAMLError as error:
        found.add(_error_place(error, text), _told(error), help=_advice(error), code=UNREADABLE)
        return nothing
    except (ValueError, OverflowError):  # what PyYAML leaves to Python: a number that is no character
        message = f"{CONFIG} is no YAML: it holds an escape or a directive with a number that means nothing"
        found.add(START, message, help="correct what begins with a backslash or with `%`", code=UNREADABLE)
        return nothing
    if isinstance(tree, Table):
        return tree
    if not (isinstance(tree, Scalar) and tree.kind == "null"):
        found.add(
            tree.place,
            f"{CONFIG} holds {shown_kind(tree)}, not keys with values",
            help="write one `key: value` a line, as in `model_name: my-model`",
            code=UNREADABLE,
        )
    return nothing


def shown_kind(node: Node) -> str:
    """Say in a few words what a node is."""
    match node:
        case Listing():
            return "a list"
        case Table():
            return "keys with values"
        case Scalar(kind="null"):
            return "nothing"
        case Scalar(kind="bool"):
            return f"`{node.text}`, which YAML reads as {'true' if node.value else 'false'}"
        case Scalar(kind="int" | "float"):
            return f"the number {node.text[:_LONGEST_NUMBER]}"
        case _:
            return f"the text {_short(node.text)!r}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


class _TooMuch(yaml.MarkedYAMLError):
    """A text that is deeper or larger than a configuration."""


class _Composer(yaml.SafeLoader):
    """Composes nodes down to a level, as each level is a call within a call."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._level += 1
        if self._level > MOST_LEVELS:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs say nothing of it
            raise _TooMuch(problem=f"is nested more than {MOST_LEVELS} levels deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._level -= 1
        return node


class _Tree:
    """Turns composed nodes into a tree; an alias becomes what it stands for."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._constructor = yaml.constructor.SafeConstructor()
        self._count = 0
        self._is_quotable = True

    def read(self, node: yaml.Node, level: int = 0) -> Node:
        """Return the tree of a node. Raises _TooMuch where aliases make it too large, or endless."""
        self._count += 1
        if self._count > MOST_NODES or level > MOST_LEVELS:
            told = f"stands, with what its aliases repeat, for more than {MOST_NODES} values or {MOST_LEVELS} levels"
            raise _TooMuch(problem=told, problem_mark=node.start_mark)
        self._check_tag(node)
        match node:
            case yaml.MappingNode():
                return Table(tuple(self._entries(node, level)), self._place(node))
            case yaml.SequenceNode():
                return Listing(tuple(self.read(item, level + 1) for item in node.value), self._place(node))
            case _:
                return self._scalar(node)

    def _check_tag(self, node: yaml.Node) -> None:
        kind = node.tag.removeprefix(_CORE)
        if kind in _KINDS and node.tag.startswith(_CORE):
            return
        shown = f"!!{kind}" if node.tag.startswith(_CORE) else node.tag
        message = f"the tag {_short(shown)!r} means nothing here"
        self._found.add(self._place(node), message, help="write the value without it", code=UNREADABLE)

    def _entries(self, node: yaml.MappingNode, level: int) -> Iterator[Entry]:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for entry in self._merged(value, level):
                    merged.setdefault(entry.key.text, entry)
                continue
            read = self.read(key, level + 1)
            if not isinstance(read, Scalar):
                self._found.add(
                    self._place(key), f"a key is {shown_kind(read)}, not a text",
                    help="a text that begins with `{` or `[` needs quotes", code=UNREADABLE,
                )  # fmt: skip
                continue
            entry = Entry(read, self._value_of(read, value, level))
            if self._is_new(entry, own):
                own[read.text] = entry
        yield from own.values()
        yield from (entry for name, entry in merged.items() if name not in own)

    def _value_of(self, key: Scalar, value: yaml.Node, level: int) -> Node:
        """Read the value of a key; where it may hold secrets, no problem quotes it."""
        before, self._is_quotable = (
            self._is_quotable,
            self._is_quotable and (level > 0 or key.text != _HIDDEN),
        )
        read = self.read(value, level + 1)
        self._is_quotable = before
        return read

    def _merged(self, value: yaml.Node, level: int) -> Iterator[Entry]:
        """The entries that `<<` brings into a mapping; of several, the first counts."""
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        for source in sources:
            tree = self.read(source, level + 1)
            if isinstance(tree, Table):
                yield from tree.entries
            else:
                message = f"`<<` takes over keys, and this is {shown_kind(tree)}"
                self._found.add(
                    self._place(source), message, help="name a mapping: `<<: *name`", code=UNREADABLE
                )

    def _is_new(self, entry: Entry, known: dict[str, Entry]) -> bool:
        first = known.get(entry.key.text)
        if first is None:
            return True
        lines = f"in line {first.key.place.line} and in line {entry.key.place.line}"
        self._found.add(
            entry.key.place,
            f"`{_short(entry.key.text)}` is written twice: {lines}",
            help="keep one of them",
            code=UNREADABLE,
        )
        return False

    def _scalar(self, node: yaml.Node) -> Scalar:
        text, place, kind = str(node.value), self._place(node), node.tag.removeprefix(_CORE)
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            self._found.add(place, "a text holds what is no character", help="leave it out", code=UNREADABLE)
            return Scalar("", "null", None, place)
        if kind not in ("int", "float", "bool", "null"):
            return Scalar(text, "timestamp" if kind == "timestamp" else "str", text, place)
        return Scalar(text, kind, self._value(kind, node), place)

    def _value(self, kind: str, node: yaml.Node) -> int | float | bool | None:
        if not isinstance(node, yaml.ScalarNode) or kind == "null":
            return None
        read = getattr(self._constructor, f"construct_yaml_{kind}")
        try:
            value = read(node) if len(node.value) <= _LONGEST_NUMBER else None
        except (ValueError, KeyError, IndexError, OverflowError):
            return None
        is_finite = value is not None and math.isfinite(value)
        return value if is_finite else None

    def _place(self, node: yaml.Node) -> Place:
        start, end = node.start_mark, node.end_mark
        end_column = end.column + 1 if end.line == start.line else 0
        return Place(start.line + 1, start.column + 1, end_column, self._is_quotable)


def _error_place(error: yaml.YAMLError, text: str) -> Place:
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        return Place(before.count("\n") + 1, error.position - before.rfind("\n"))
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return Place(mark.line + 1, mark.column + 1) if mark is not None else START


def _told(error: yaml.YAMLError) -> str:
    if isinstance(error, _TooMuch):
        return f"{CONFIG} {error.problem}"
    if isinstance(error, yaml.reader.ReaderError):
        return f"{CONFIG} is no YAML: it holds a character that may not stand in a text file"
    parts = [getattr(error, name, None) for name in ("context", "problem")]
    return f"{CONFIG} is no YAML: {', '.join(str(part) for part in parts if part)}"


def _advice(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", ""))
    if "\\t" in problem or "'\t'" in problem:
        return "indent with spaces: YAML takes no tabs"
    if "mapping values are not allowed" in problem:
        return "put a text that holds `: ` in quotes, or check the indentation"
    return "correct the line; a text with special characters goes in quotes"
