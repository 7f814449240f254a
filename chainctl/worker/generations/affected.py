"""Paths that an edit changed in; the loaded modules of the user's that have to be executed anew out."""

from __future__ import annotations

import ast
import importlib.util
import sys
import types
from collections.abc import Iterator
from typing import Optional

from chainctl.worker.generations.sources import Sources, Texts, module_name

Modules = dict[str, types.ModuleType]


def user_modules(sources: Sources) -> Modules:
    """Return the loaded modules whose files are below the root, packages without a file among them."""
    return {name: m for name, m in list(sys.modules.items()) if _is_below(m, sources)}


def affected_modules(texts: Texts, sources: Sources, loaded: Modules) -> Modules:
    """Return the changed modules, all that import them, and the packages that they are in."""
    changed = {name for name, m in loaded.items() if sources.path_of_module(m) in texts}
    changed |= {module_name(path) for path in texts}
    imports = {name: set(_imported(name, module, sources)) for name, module in loaded.items()}
    while True:
        parents = {p for name in changed for p in _parents(name) if p in loaded}
        importers = {name for name in loaded if imports[name] & changed}
        if parents | importers <= changed:
            return {name: m for name, m in loaded.items() if name in changed}
        changed |= parents | importers


def _is_below(module: object, sources: Sources) -> bool:
    if not isinstance(module, types.ModuleType):
        return False
    if sources.path_of_module(module) is not None:
        return True
    directories = (
        list(getattr(module, "__path__", None) or ()) if not getattr(module, "__file__", None) else []
    )
    return bool(directories) and all(sources.path_of(str(d)) is not None for d in directories)


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _imported(name: str, module: types.ModuleType, sources: Sources) -> Iterator[str]:
    """Names of modules that a module imports, as its text says and as what it holds says."""
    for value in list(vars(module).values()):
        if isinstance(value, types.ModuleType):
            yield value.__name__
        elif isinstance(value, (type, types.FunctionType)) and value.__module__ != name:
            yield value.__module__ or ""
    path = sources.path_of_module(module)
    text = sources.text(path) if path is not None else None
    if text is None:
        return
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (alias.name, *_parents(alias.name))
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node, module.__package__)


def _imported_from(node: ast.ImportFrom, package: Optional[str]) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        try:
            base = importlib.util.resolve_name("." * node.level + base, package)
        except (ImportError, TypeError):
            return
    yield from (base, *_parents(base))
    yield from (f"{base}.{alias.name}" for alias in node.names)
