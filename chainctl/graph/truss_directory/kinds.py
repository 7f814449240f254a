"""A node of a configuration in; the value that its key takes, in JSON form, with what is wrong with it, out.

A kind reads one node. What it returns for a node that it does not accept is of no use: there is a problem then.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from chainctl.graph.truss_directory.findings import CONFIG, NOT_ACCEPTED, Findings
from chainctl.graph.truss_directory.nodes import Entry, Listing, Node, Scalar, Table, shown_kind


class Kind(Protocol):
    """Reads the node of a key by its full name, such as `resources.cpu`."""

    def __call__(self, node: Node, name: str, found: Findings, /) -> Any: ...


_FEW = 12
_TEXTS = ("str", "int", "float", "timestamp")
Check: TypeAlias = Callable[[str], Any]


class RefusedError(ValueError):
    """Why a text is not accepted, as the end of a sentence about it, and what to write."""

    def __init__(self, why: str, help: str) -> None:
        super().__init__(why)
        self.why = why
        self.help = help


@dataclass(frozen=True, slots=True)
class Key:
    """What a key takes, and what it has where it is not written or has no value."""

    kind: Kind
    default: Any = None
    is_required: bool = False


def text(node: Node, name: str, found: Findings) -> str:
    """A text; a number counts as it is written."""
    if isinstance(node, Scalar) and node.kind in _TEXTS:
        return node.text
    advice = f'put it in quotes: "{node.text}"' if isinstance(node, Scalar) and node.kind == "bool" else ""
    _wrong(node, name, "a text", found, help=advice)
    return ""


def boolean(node: Node, name: str, found: Findings) -> bool:
    """`true` or `false`; `yes`, `no`, `on` and `off` are the same in YAML 1.1."""
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    _wrong(node, name, "true or false", found, help="write `true` or `false`, without quotes")
    return False


def whole(least: int, most: int = 1_000_000) -> Kind:
    """A whole number between two bounds."""

    def read(node: Node, name: str, found: Findings) -> int:
        value = node.value if isinstance(node, Scalar) and node.kind == "int" else None
        if not isinstance(value, int):
            _wrong(node, name, "a whole number", found, help="write it without quotes")
        elif not least <= value <= most:
            wanted = f"at least {least}" if value < least else f"at most {most}"
            found.add(node.place, f"`{name}` is {value}, and must be {wanted}")
        else:
            return value
        return least

    return read


def seconds(node: Node, name: str, found: Findings) -> float:
    """A time, more than none."""
    value = node.value if isinstance(node, Scalar) and node.kind in ("int", "float") else None
    if isinstance(value, (int, float)) and value > 0:
        return value
    _wrong(node, name, "a number of seconds above 0", found)
    return 1.0


def checked(check: Check, code: str = NOT_ACCEPTED) -> Kind:
    """A text that a check turns into a value. The check raises RefusedError."""

    def read(node: Node, name: str, found: Findings) -> Any:
        if not isinstance(node, Scalar) or node.kind not in _TEXTS:
            return text(node, name, found) or None
        try:
            return check(node.text)
        except RefusedError as error:
            shown = f"`{name}` is {_short(node.text)!r}, {error.why}"
            found.add(node.place, shown, help=error.help, code=code)
            return None

    return read


def one_of(*values: str) -> Kind:
    """One of a few texts."""

    def check(written: str) -> str:
        if written in values:
            return written
        raise RefusedError(f"not one of {', '.join(values)}", _meant(written, values))

    return checked(check)


def items(kind: Kind) -> Kind:
    """A list of values of a kind."""

    def read(node: Node, name: str, found: Findings) -> list[Any]:
        if not isinstance(node, Listing):
            last = name.rpartition(".")[2]
            shown = node.text if isinstance(node, Scalar) and len(node.text) < 40 else "…"
            _wrong(node, name, "a list", found, help=f"write one below `{last}:`, a line each: `- {shown}`")
            return []
        return [kind(item, f"{name}[{index}]", found) for index, item in enumerate(node.items)]

    return read


def by_name(kind: Callable[[Entry, str, Findings], Any], example: str = "value") -> Kind:
    """Values by names of the user's; `kind` reads an entry of them by its full name."""

    def read(node: Node, name: str, found: Findings) -> dict[str, Any]:
        if isinstance(node, Table):
            return {e.key.text: kind(e, f"{name}.{e.key.text}", found) for e in node.entries}
        last = name.rpartition(".")[2]
        _wrong(
            node,
            name,
            "names with values",
            found,
            help=f"write below `{last}:` a line each: `NAME: {example}`",
        )
        return {}

    return read


def section(keys: Mapping[str, Key], renamed: Mapping[str, str] | None = None) -> Kind:
    """A mapping of these keys and no others. `renamed` are those that have another name today."""

    def read(node: Node, name: str, found: Findings) -> dict[str, Any]:
        values = defaults_of(keys)
        if not isinstance(node, Table):
            example = next(iter(keys))
            _wrong(node, name, "keys with values", found, help=f"write a line each below it: `{example}: …`")
            return values
        prefix = f"{name}." if name else ""
        for entry in node.entries:
            key = keys.get(entry.key.text)
            if key is None:
                _add_unknown(entry, name, keys, renamed or {}, found)
            elif not is_empty(entry.node):
                values[entry.key.text] = key.kind(entry.node, prefix + entry.key.text, found)
        _require(node, name, keys, found)
        return values

    return read


def defaults_of(keys: Mapping[str, Key]) -> dict[str, Any]:
    """What keys have that are not written."""
    return {name: copy.deepcopy(key.default) for name, key in keys.items()}


def anything(node: Node, name: str, found: Findings) -> Any:
    """Whatever JSON has a form for."""
    match node:
        case Listing():
            return [anything(item, f"{name}[{index}]", found) for index, item in enumerate(node.items)]
        case Table():
            return {e.key.text: anything(e.node, f"{name}.{e.key.text}", found) for e in node.entries}
        case Scalar() if node.value is None and node.kind != "null":
            _wrong(node, name, "a number that JSON has a form for", found, help="put a text in quotes")
            return None
        case Scalar():
            return node.value


def table(node: Node, name: str, found: Findings) -> dict[str, Any]:
    """Names with values that mean nothing here."""
    return by_name(lambda entry, full, found: anything(entry.node, full, found))(node, name, found)  # type: ignore[no-any-return]  # a kind of one section


def is_empty(node: Node) -> bool:
    """Say whether a key is written without a value: then it has its default."""
    return isinstance(node, Scalar) and node.kind == "null"


def _wrong(node: Node, name: str, wanted: str, found: Findings, *, help: str = "") -> None:
    shown = shown_kind(node) if node.place.is_quotable else "something else"
    found.add(node.place, f"`{name}` is {shown}, not {wanted}", help=help)


def _add_unknown(
    entry: Entry, name: str, keys: Collection[str], renamed: Mapping[str, str], found: Findings
) -> None:
    word = entry.key.text
    place = f"`{name}`" if name else CONFIG
    now = renamed.get(word)
    advice = f"it is called `{now}` today" if now else _meant(word, keys)
    found.add(entry.key.place, f"{place} has no key called `{_short(word)}`", help=advice)


def _require(node: Table, name: str, keys: Mapping[str, Key], found: Findings) -> None:
    for key in (key for key, one in keys.items() if one.is_required):
        entry = node.entry(key)
        if entry is None or is_empty(entry.node):
            found.add(node.place, f"`{name}` has no `{key}`", help=f"write `{key}: …` in it")


def _meant(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word[:100].lower(), known, 1)
    if near:
        return f"did you mean `{near[0]}`?"
    return (
        f"write one of {', '.join(known)}"
        if len(known) <= _FEW
        else "`chainctl explain CH1206` lists the keys"
    )


def _short(written: str) -> str:
    return written if len(written) <= 60 else f"{written[:57]}…"
