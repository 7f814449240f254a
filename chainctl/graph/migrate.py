"""The text of a Python file in; the same with imports of chainctl, or the places that forbid it, out. Pure.

Only the words that name modules change, at the positions that the syntax tree gives, so layout and comments
stay. What chainctl has not is refused with its place, and nothing is rewritten then.
"""

from __future__ import annotations

import ast
import importlib
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from chainctl.errors import Problem
from chainctl.sdk.locate import SourceFile
from chainctl.truss.alias import ROOTS

_MODULES = {
    "truss_chains": "chainctl",
    "truss_chains.definitions": "chainctl",
    "truss_chains.public_types": "chainctl",
    "truss_chains.remote_chainlet.stub": "chainctl",
    "truss_chains.pydantic_numpy": "chainctl.pydantic_numpy",
    "truss_chains.streaming": "chainctl.streaming",
    "truss_chains.remote_chainlet.truss_chainlet": "chainctl.truss.handle",
    "truss.base.truss_config": "chainctl.truss.config",
    "truss.truss_config": "chainctl.truss.config",
}
_KNOWN = frozenset(importlib.import_module("chainctl").__all__)
"""The public names, which the package lists without loading any."""
_SUBMODULES = frozenset(["pydantic_numpy", "streaming"])
_PUSH_ARGUMENTS = frozenset(["entrypoint", "chain_name"])


@dataclass(frozen=True, slots=True)
class Migrated:
    """A file's text as it is to be; the very same where there are problems."""

    text: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Edit:
    """Characters of a text that are replaced."""

    start: int
    end: int
    text: str


def migrated(text: str, path: str) -> Migrated:
    """Rewrite a file's imports. Problems are places that have no counterpart, or that cannot be followed."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return Migrated(text, (_no_python(error, path),))
    return _Rewriting(text, path).result(tree)


def _no_python(error: SyntaxError | ValueError, path: str) -> Problem:
    line, column = (error.lineno or 0, error.offset or 0) if isinstance(error, SyntaxError) else (0, 0)
    what = error.msg if isinstance(error, SyntaxError) else str(error)
    return Problem("CH0102", f"this is no Python: {what}", path, line, column, help="correct the line")


class _Rewriting:
    """One pass over one file."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._source = SourceFile(path, text)
        self._lines = io.StringIO(text, newline="").readlines()
        self._offsets = [0]
        for line in self._lines:
            self._offsets.append(self._offsets[-1] + len(line))
        self._edits: list[_Edit] = []
        self._problems: list[Problem] = []
        self._names: set[str] = set()

    def result(self, tree: ast.Module) -> Migrated:
        nodes = list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, ast.Import):
                self._import(node)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                self._import_from(node)
        for node in nodes:
            self._use(node)
        if self._problems:
            return Migrated(self._text, tuple(sorted(self._problems, key=lambda p: (p.line, p.column))))
        return Migrated(self._edited())

    def _edited(self) -> str:
        text = self._text
        for edit in sorted(self._edits, key=lambda e: e.start, reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        return text

    # --- imports --------------------------------------------------------------------------

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.partition(".")[0] not in ROOTS:
                continue
            target = _MODULES.get(alias.name)
            if target is None:
                self._refuse(alias, f"`{alias.name}` has no counterpart in chainctl")
            elif alias.asname is None and "." in alias.name:
                self._refuse(
                    alias,
                    f"`import {alias.name}` binds a name of another package",
                    f"write `import {alias.name} as {alias.name.rpartition('.')[2]}`",
                )
            else:
                self._note(alias.name, alias.asname or alias.name)
                start = self._offset(alias.lineno, alias.col_offset)
                as_before = "" if alias.asname else f" as {alias.name}"
                self._edits.append(_Edit(start, start + len(alias.name), target + as_before))

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if module.partition(".")[0] not in ROOTS:
            return
        if module in ("truss", "truss.base"):
            self._config_from(node)
            return
        target = _MODULES.get(module)
        if target is None:
            self._refuse(node, f"`{module}` has no counterpart in chainctl")
            return
        for alias in node.names:
            known = alias.name in _KNOWN or (module == "truss_chains" and alias.name in _SUBMODULES)
            if alias.name == "*":
                self._refuse(node, f"`from {module} import *` does not say what is used", "name what is used")
            elif target == "chainctl" and not known:
                self._refuse(alias, f"`{alias.name}` has no counterpart in chainctl")
            elif alias.name == "push" and target == "chainctl":
                self._names.add(f"={alias.asname or alias.name}")
        start, end = self._module_of(node)
        self._edits.append(_Edit(start, end, target))

    def _config_from(self, node: ast.ImportFrom) -> None:
        """Rewrite `from truss.base import truss_config`, which chainctl calls otherwise."""
        (*others,) = (alias for alias in node.names if alias.name != "truss_config")
        for alias in others:
            self._refuse(alias, f"`{node.module}.{alias.name}` has no counterpart in chainctl")
        if others:
            return
        start, end = self._module_of(node)
        self._edits.append(_Edit(start, end, "chainctl.truss"))
        for alias in node.names:
            at = self._offset(alias.lineno, alias.col_offset)
            as_before = "" if alias.asname else " as truss_config"
            self._edits.append(_Edit(at, at + len(alias.name), "config" + as_before))

    def _note(self, module: str, name: str) -> None:
        """Remember a name that stands for the package: its members are looked at."""
        if _MODULES[module] == "chainctl":
            self._names.add(name)

    # --- uses -----------------------------------------------------------------------------

    def _use(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute) and self._is_package(node.value):
            if node.attr not in _KNOWN:
                self._refuse(node, f"`{ast.unparse(node)}` has no counterpart in chainctl")
        elif isinstance(node, ast.Call):
            self._call(node)

    def _call(self, node: ast.Call) -> None:
        function = node.func
        is_push = (isinstance(function, ast.Name) and f"={function.id}" in self._names) or (
            isinstance(function, ast.Attribute)
            and function.attr == "push"
            and self._is_package(function.value)
        )
        extra = [k.arg for k in node.keywords if k.arg not in _PUSH_ARGUMENTS] if is_push else []
        if extra or (is_push and len(node.args) > len(_PUSH_ARGUMENTS)):
            self._refuse(
                node,
                f"`{ast.unparse(function)}` takes only the entrypoint and a name in chainctl",
                "leave the other arguments out: they say where on a platform a chain goes",
            )
        first = node.args[0] if node.args else None
        named = getattr(function, "id", getattr(function, "attr", ""))
        text = str(first.value) if isinstance(first, ast.Constant) else ""
        if named in ("import_module", "__import__") and text.partition(".")[0] in ROOTS:
            self._refuse(node, f"`{ast.unparse(node)}` imports by a text", "write an import statement")

    def _is_package(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self._names

    # --- places ---------------------------------------------------------------------------

    def _refuse(self, node: ast.alias | ast.expr | ast.stmt, message: str, help: str = "") -> None:
        at = self._source.of_node(node)  # type: ignore[arg-type]  # an alias has a place like the others
        shown = help or "do without it; `chainctl run` and the other commands take the file as it is"
        self._problems.append(at.problem("CH1203", message, help=shown))

    def _offset(self, line: int, column: int) -> int:
        """Turn a line, and a column in UTF-8 bytes, into an offset in characters."""
        text = self._lines[line - 1]
        return self._offsets[line - 1] + len(text.encode()[:column].decode())

    def _module_of(self, node: ast.ImportFrom) -> tuple[int, int]:
        """Where the module's name stands in `from … import`."""
        start = self._offset(node.lineno, node.col_offset)
        words = list(_tokens(self._text[start:]))
        last = next(i for i, word in enumerate(words) if word.string == "import")
        return start + self._inside(start, words[1].start), start + self._inside(start, words[last - 1].end)

    def _inside(self, start: int, place: tuple[int, int]) -> int:
        """Turn the place of a token of the text behind an offset into one in characters, from there."""
        lines = io.StringIO(self._text[start:], newline="").readlines()
        return sum(len(line) for line in lines[: place[0] - 1]) + place[1]


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of a statement that `text` begins with, but for comments and line ends."""
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        if token.type in (tokenize.NAME, tokenize.OP):
            yield token
            if token.string == "import":
                return
