"""Names of the user's modules in; one bundle with their source texts, and those of what they import, out."""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.util
import json
import sys
import tokenize
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from chainctl.components.canonical import sorted_text_of
from chainctl.components.origin import is_user_file, is_user_module, live_module, module_name


@dataclass(frozen=True, slots=True)
class SourceText:
    """The text of one module. A package without `__init__.py` has none."""

    text: str
    is_package: bool = False


Bundle = Mapping[str, SourceText]


def bundle_of(modules: Mapping[str, types.ModuleType]) -> Bundle:
    """Read modules, the packages that they are in, and whatever of the user's they import."""
    found: dict[str, SourceText] = {}
    for name, module in sorted(modules.items()):
        stored = stored_bundle(module)
        found.update(stored if stored is not None else _closure([name], source_of))
    return {name: source for name, source in sorted(found.items()) if _is_needed(name, source, found)}


def stored_bundle(module: types.ModuleType) -> Bundle | None:
    """Return the bundle that a module was loaded from, None for a module of a file."""
    return getattr(module, "__chainctl_bundle__", None)


def _closure(names: Iterable[str], source: Callable[[str], SourceText | None]) -> dict[str, SourceText]:
    found: dict[str, SourceText] = {}
    waiting = [part for name in names for part in with_parents(name)]
    while waiting:
        name = waiting.pop()
        text = None if name in found else source(name)
        if text is not None:
            found[name] = text
            waiting += [part for each in _imported(name, text) for part in with_parents(each)]
    return found


def _is_needed(name: str, source: SourceText, found: Bundle) -> bool:
    """Packages without a text are only needed for what they hold."""
    return (
        bool(source.text)
        or any(
            other.startswith(f"{name}.") and (each.text or not each.is_package)
            for other, each in found.items()
        )
        or not source.is_package
    )


def written(bundle: Bundle) -> bytes:
    """Return a bundle as bytes, the same for equal bundles."""
    modules = {name: {"package": s.is_package, "text": s.text} for name, s in bundle.items()}
    return sorted_text_of({"modules": modules, "version": 1}).encode()


def read(data: bytes) -> Bundle:
    """Return the bundle that `written` made bytes of. Raises ValueError."""
    modules = json.loads(data)["modules"]
    return {name: SourceText(each["text"], each["package"]) for name, each in modules.items()}


def source_of(name: str) -> SourceText | None:
    """Read a module of the user's, loaded or not; None when it is none, or has no text. Nothing is imported."""
    module = live_module(name)
    if module is not None:
        return _of_loaded(module)
    spec = _spec(name)
    if spec is None:
        return None
    if spec.origin is None or spec.loader is None:
        return SourceText("", True) if spec.submodule_search_locations else None
    is_package = spec.submodule_search_locations is not None
    text = _text(spec.origin) if is_user_file(spec.origin) else None
    return None if text is None else SourceText(text, is_package)


def _of_loaded(module: types.ModuleType) -> SourceText | None:
    stored = stored_bundle(module)
    if stored is not None:
        return stored[module_name(module)]
    if not is_user_module(module):
        is_namespace = getattr(module, "__file__", None) is None and hasattr(module, "__path__")
        return (
            SourceText("", True) if is_namespace and module.__name__ not in sys.stdlib_module_names else None
        )
    text = _text(str(module.__file__))
    return None if text is None else SourceText(text, hasattr(module, "__path__"))


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Find a module file without importing the packages that it is in."""
    path: list[str] | None = None
    spec: importlib.machinery.ModuleSpec | None = None
    for part in with_parents(name):
        spec = importlib.machinery.PathFinder.find_spec(part, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def _text(path: str) -> str | None:
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, ValueError):
        return None


def with_parents(name: str) -> list[str]:
    """Return a module's name after those of the packages that it is in."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _imported(name: str, source: SourceText) -> Iterator[str]:
    """Modules that a text imports, anywhere in it; names that may be submodules among them."""
    package = name if source.is_package else name.rpartition(".")[0]
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _absolute(node: ast.ImportFrom, package: str) -> str | None:
    if not node.level:
        return node.module
    try:
        return importlib.util.resolve_name("." * node.level + (node.module or ""), package)
    except ImportError:
        return None


def source_value(names: Iterable[str], stored: Bundle | None) -> dict[str, str]:
    """Return digests of the texts of modules and of what they import, without comments and layout.

    Nothing is imported for it, so it is the same before and after they are.
    """
    found = _closure(names, source_of if stored is None else stored.get)
    return {name: _digest(source) for name, source in sorted(found.items()) if source.text}


def _digest(source: SourceText) -> str:
    try:
        shown = ast.dump(ast.parse(source.text))
    except (SyntaxError, ValueError):
        shown = source.text
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
