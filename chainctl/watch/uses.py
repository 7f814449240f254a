"""The modules of a chainlet and a method in; what of those modules the method uses, by name, out. Pure.

Names are followed without types: whatever is called like something that is mentioned counts as used. So
more may be found than is used, and never less, but for names that are put together at run time.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CALL = "__call__"

Definition = tuple[str, str]
"""A module's path and a qualified name in it."""


@dataclass(slots=True)
class _Index:
    """All definitions of modules. `named` has those that a simple name may mean, `members` those of a class."""

    nodes: dict[Definition, ast.AST] = field(default_factory=dict)
    named: dict[str, list[Definition]] = field(default_factory=dict)
    members: dict[Definition, list[Definition]] = field(default_factory=dict)

    def add(self, path: str, statements: Iterable[ast.stmt], prefix: str = "") -> None:
        for statement in statements:
            for name in _defines(statement):
                key = (path, prefix + name)
                self.nodes[key] = statement
                self.named.setdefault(name, []).append(key)
                if prefix:
                    self.members.setdefault((path, prefix[:-1]), []).append(key)
                if isinstance(statement, ast.ClassDef):
                    self.add(path, statement.body, f"{prefix}{name}.")

    def leave_out(self, classes: Collection[Definition]) -> None:
        for keys in self.named.values():
            keys[:] = [key for key in keys if not is_in(key, classes)]


def is_in(key: Definition, classes: Iterable[Definition]) -> bool:
    """Say whether a definition is one of some classes, or in one."""
    return any(key[0] == path and f"{key[1]}.".startswith(f"{name}.") for path, name in classes)


def used_by(
    trees: Mapping[str, ast.Module], starts: Iterable[Definition], apart: Collection[Definition] = ()
) -> frozenset[Definition]:
    """Return all definitions that some of them use, directly or not, and what importing the modules uses.

    Classes in `apart`, with all that is in them, are left out: they live elsewhere.
    """
    index = _Index()
    for path, tree in trees.items():
        index.add(path, tree.body)
    index.leave_out(apart)
    found: dict[Definition, None] = {}
    callable_later: list[Definition] = []
    calls_objects = False
    waiting = [key for key in starts if key in index.nodes]
    for tree in trees.values():
        waiting += _meant(index, _called_on_import(tree))
    while waiting:
        key = waiting.pop()
        if key in found:
            continue
        found[key] = None
        node = index.nodes[key]
        if isinstance(node, ast.ClassDef):
            created = list(_created(index, key))
            callable_later += [one for one in created if _last(one) == _CALL]
            waiting += [one for one in created if _last(one) != _CALL]
            waiting += _meant(index, _mentioned(*node.bases, *node.keywords, *node.decorator_list))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            waiting += _meant(index, _imported_as(node, _last(key)))
        else:
            waiting += _meant(index, _mentioned(node))
            calls_objects = calls_objects or _calls_objects(node, index)
        if calls_objects:
            waiting += callable_later
    return frozenset(found)


def _created(index: _Index, cls: Definition) -> Iterator[Definition]:
    """What runs when an object of a class is made, or may run without its name being mentioned."""
    for key in index.members.get(cls, []):
        name, node = _last(key), index.nodes[key]
        is_special = name.startswith("__") and name.endswith("__")
        is_plain = isinstance(node, _FUNCTIONS) and not node.decorator_list
        if is_special or not is_plain:
            yield key


def _calls_objects(node: ast.AST, index: _Index) -> bool:
    """Say whether some code calls what may be an object of a class that has `__call__`."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        match call.func:
            case ast.Name(id=name):
                if name not in index.named and not hasattr(builtins, name):
                    return True
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                if name not in index.named:
                    return True
            case ast.Attribute():
                pass
            case _:
                return True
    return False


def _last(key: Definition) -> str:
    return key[1].rpartition(".")[2]


def _meant(index: _Index, names: Iterable[str]) -> Iterator[Definition]:
    for name in names:
        yield from index.named.get(name, ())


def _mentioned(*nodes: ast.AST) -> set[str]:
    """Every name, attribute and text in some code: a text may be a name that is asked for."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.Constant(value=str(text)) if text.isidentifier():
                found.add(text)
        waiting += ast.iter_child_nodes(node)
    return found


def _imported_as(node: ast.Import | ast.ImportFrom, bound: str) -> set[str]:
    """What a name that is bound by an import is called where it comes from."""
    return {alias.name.rpartition(".")[2] for alias in node.names if (alias.asname or alias.name) == bound}


def _called_on_import(tree: ast.Module) -> set[str]:
    """What importing a module calls: it runs everything but the bodies of functions."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, _FUNCTIONS):
            found |= _called(*node.decorator_list, node.args)
            found |= {name for one in node.decorator_list for name in _last_names(one)}
        elif isinstance(node, ast.ClassDef):
            waiting += [*node.decorator_list, *node.bases, *node.keywords, *node.body]
        else:
            found |= _called(node)
    return found


def _called(*nodes: ast.AST) -> set[str]:
    """The names of what some code calls; what it only mentions does not run."""
    found: set[str] = set()
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Call):
                found |= set(_last_names(part.func))
    return found


def _last_names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr


def _defines(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [(alias.asname or alias.name).partition(".")[0] for alias in names]
        case _:
            return []
