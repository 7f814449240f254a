"""An entry whose name is the user's in (a variable, a secret); its value, with what is wrong with it, out."""

from __future__ import annotations

import re
from collections.abc import Callable

from chainctl.graph.truss_directory import texts
from chainctl.graph.truss_directory.findings import SECRET_VALUE, Findings
from chainctl.graph.truss_directory.kinds import RefusedError, is_empty, text
from chainctl.graph.truss_directory.nodes import Entry, Node, Scalar

_PLACEHOLDER = re.compile(
    r"\s*|[*.x…-]+|<.*>|null|none|todo|tbd|n/?a|(change[ _-]?me|placeholder|dummy|redacted|secret|token)"
    r"|(set|your|insert|replace|enter|add)[ _-].*",
    re.IGNORECASE,
)


def variable(entry: Entry, name: str, found: Findings) -> str:
    """The value of an environment variable: the text as it is written."""
    _check_name(entry, texts.variable_name, found)
    node = entry.node
    if is_empty(node):
        found.add(
            entry.key.place, f"`{name}` has no value", help=f'write `{entry.key.text}: ""` for an empty one'
        )
        return ""
    if not isinstance(node, Scalar) or node.kind != "bool":
        return text(node, name, found)
    if node.text.lower() not in ("true", "false"):
        said = "true" if node.value else "false"
        found.add(
            node.place,
            f"`{name}` is {node.text}, which YAML reads as {said}; here the variable is the text that is written",
            help=f'put it in quotes, "{node.text}", which every reader takes for the same',
            severity="warning",
        )
    return node.text


def secret(entry: Entry, name: str, found: Findings) -> None:
    """Nothing: a secret is known by its name, and its value never read from here."""
    _check_name(entry, texts.secret_name, found)
    if not _is_placeholder(entry.node):
        key = entry.key.text
        found.add(
            entry.key.place,
            f"the secret `{key}` has a value, which is not used",
            note="a value in a file ends up in every copy of it",
            help=f"write `{key}: null`, and give the value by `chainctl secret set {key}`",
            code=SECRET_VALUE,
            severity="warning",
        )


def secret_path(entry: Entry, name: str, found: Findings) -> str:
    """Where the file of a secret is expected while an image is built."""
    _check_name(entry, texts.secret_name, found)
    return text(entry.node, name, found)


def _check_name(entry: Entry, check: Callable[[str], str], found: Findings) -> None:
    try:
        check(entry.key.text)
    except RefusedError as error:
        found.add(entry.key.place, f"the name is `{entry.key.text[:60]}`, {error.why}", help=error.help)


def _is_placeholder(node: Node) -> bool:
    if is_empty(node):
        return True
    return isinstance(node, Scalar) and _PLACEHOLDER.fullmatch(node.text) is not None
