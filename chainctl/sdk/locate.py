"""A class or one of its members in; the file, line and columns where it is written out."""

from __future__ import annotations

import ast
import functools
import sys
import sysconfig
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from chainctl.errors import Problem

_STDLIB = sysconfig.get_path("stdlib") + "/"
FunctionNode = Union[ast.FunctionDef, ast.AsyncFunctionDef]


@dataclass(frozen=True)
class Span:
    """A place in a file. Line and columns count from 1; `end_column` is exclusive."""

    path: str
    line: int = 0
    column: int = 0
    end_column: int = 0

    def problem(
        self, code: str, message: str, *, note: str = "", help: str = "", severity: str = "error"
    ) -> Problem:
        return Problem(
            code, message, self.path, self.line, self.column, self.end_column, note, help, severity
        )


def is_installed(filename: str) -> bool:
    """Say whether a file is of the standard library or of an installed package, and none of the user's."""
    return "site-packages" in filename or filename.startswith(_STDLIB)


class SourceFile:
    """One parsed file that answers where things stand."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text.split("\n")
        try:
            self.tree: Optional[ast.Module] = ast.parse(text)
        except (SyntaxError, ValueError):
            self.tree = None

    @classmethod
    def read(cls, path: str) -> SourceFile:
        """Read a Python file as Python does: a byte order mark or a coding comment says its encoding.

        A file that did not change is parsed once, as a chain file may have many chainlets.
        """
        try:
            found = Path(path).stat()
        except (OSError, ValueError):
            return cls(path, "")
        return _parsed(path, found.st_mtime_ns, found.st_size, found.st_ino)

    @classmethod
    def of_module(cls, module_name: str) -> SourceFile:
        """Read the file that a loaded module came from; an empty one when it has none."""
        path = getattr(sys.modules.get(module_name), "__file__", None) or ""
        return cls.read(path) if path.endswith(".py") else cls(path, "")

    def class_node(self, qualname: str) -> Optional[ast.ClassDef]:
        """Find a class by its qualified name; the last definition wins, as it does in Python."""
        return self._class_nodes.get(qualname)

    @functools.cached_property
    def _class_nodes(self) -> dict[str, ast.ClassDef]:
        return dict(_classes(self.tree, ""))

    def of_function(self, name: str) -> Span:
        """The name of a function at module level."""
        body = self.tree.body if self.tree else []
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
                column = self._text[node.lineno - 1].find(f"def {name}") + len("def ")
                return Span(self.path, node.lineno, column + 1, column + 1 + len(name))
        return Span(self.path)

    def of_class(self, qualname: str) -> Span:
        node = self.class_node(qualname)
        if node is None:
            return Span(self.path)
        column = self._text[node.lineno - 1].find("class ") + len("class ")
        return Span(self.path, node.lineno, column + 1, column + 1 + len(node.name))

    def of_method(self, qualname: str, method: str) -> Span:
        """The name of a method, or of a class variable; the class when it has no such member."""
        node = _member(self.class_node(qualname), method)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            column = self._text[node.lineno - 1].find(f"def {method}") + len("def ")
            return Span(self.path, node.lineno, column + 1, column + 1 + len(method))
        return self.of_node(node) if node else self.of_class(qualname)

    def of_parameter(self, qualname: str, method: str, parameter: str) -> Span:
        node = _member(self.class_node(qualname), method)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for arg in _arguments(node):
                if arg.arg == parameter:
                    return self.of_node(arg)
        return self.of_method(qualname, method)

    def of_return(self, qualname: str, method: str) -> Span:
        node = _member(self.class_node(qualname), method)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns:
            return self.of_node(node.returns)
        return self.of_method(qualname, method)

    def of_node(self, node: Union[ast.expr, ast.stmt, ast.arg]) -> Span:
        """The span of a node; of its first line when it has several."""
        line = node.lineno
        text = self._text[line - 1] if line <= len(self._text) else ""
        start = _characters(text, node.col_offset)
        same_line = node.end_lineno == line and node.end_col_offset is not None
        end = _characters(text, node.end_col_offset or 0) if same_line else len(text.rstrip())
        return Span(self.path, line, start + 1, end + 1)


@functools.lru_cache(maxsize=256)
def _parsed(path: str, *_state: int) -> SourceFile:
    try:
        with tokenize.open(path) as file:
            return SourceFile(path, file.read())
    except (OSError, SyntaxError, ValueError):
        return SourceFile(path, "")


def _characters(text: str, offset: int) -> int:
    """Turn ast's offset in UTF-8 bytes into one in characters."""
    return len(text.encode()[:offset].decode(errors="ignore"))


def _classes(tree: Optional[ast.AST], prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in ast.iter_child_nodes(tree) if tree else ():
        if isinstance(node, ast.ClassDef):
            yield prefix + node.name, node
            yield from _classes(node, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _classes(node, f"{prefix}{node.name}.<locals>.")
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _classes(node, prefix)


def _member(node: Optional[ast.ClassDef], name: str) -> Union[FunctionNode, ast.stmt, None]:
    members = [child for child in (node.body if node else ()) if name in _bound_names(child)]
    return members[-1] if members else None


def _bound_names(node: ast.stmt) -> list[str]:
    """The names that a statement in a class body binds."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _arguments(node: FunctionNode) -> list[ast.arg]:
    spec = node.args
    variadic = [arg for arg in (spec.vararg, spec.kwarg) if arg]
    return [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *variadic]
