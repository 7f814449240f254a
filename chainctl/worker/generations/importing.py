"""Names of a chain's modules in; the modules of the right generation, from texts in memory, out."""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Optional

from chainctl.worker.generations.sources import Sources

Modules = Mapping[str, types.ModuleType]
_ABSENT: Any = object()


class SourceLoader(importlib.abc.ExecutionLoader):
    """Loads one module from a text in memory."""

    def __init__(self, sources: Sources, path: str) -> None:
        self.sources = sources
        self._path = path

    def get_filename(self, fullname: str) -> str:
        return self.sources.filename(self._path)

    def get_source(self, fullname: str) -> str:
        text = self.sources.text(self._path)
        if text is None:
            raise ImportError(f"the source of {fullname} is gone", name=fullname)
        return text

    def is_package(self, fullname: str) -> bool:
        return self._path.rpartition("/")[2] == "__init__.py"


class PackageLoader(importlib.abc.Loader):
    """Loads a directory without `__init__.py`, as a package of one generation: it holds that one's modules."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to execute."""


class SourceFinder(importlib.abc.MetaPathFinder):
    """Finds a chain's modules in its sources: in those that are prepared here and now, else in the committed ones."""

    def __init__(self, committed: Callable[[], Sources]) -> None:
        self._committed = committed
        self.preparing: ContextVar[Optional[Sources]] = ContextVar("chainctl_preparing", default=None)

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        preparing = self.preparing.get()
        sources = preparing or self._committed()
        was_removed = False
        for candidate in _candidates(sources, fullname, path):
            is_edited = candidate in sources.edited
            if not is_edited and preparing is None:
                continue
            text = sources.text(candidate)
            was_removed = was_removed or (text is None and is_edited)
            if text is not None:
                return _spec(fullname, sources, candidate)
        if was_removed:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return _package_spec(fullname, sources, path, is_preparing=preparing is not None)


class Views:
    """Lets `import` in the code of an older generation, or of one that is prepared, find its own modules.

    Other code finds what is in `sys.modules`, the newest committed ones. It stands in for `__import__`
    only while there is more than one generation.
    """

    def __init__(self) -> None:
        self._views: dict[int, tuple[int, Modules]] = {}
        self._original: Any = None

    def give(self, modules: Modules, view: Modules, number: int) -> None:
        """Let these modules see a view, until generation `number` is the only one."""
        self._views.update({id(vars(module)): (number, view) for module in modules.values()})
        if self._original is None:
            self._original, builtins.__import__ = builtins.__import__, self._import

    def take(self, modules: Modules) -> None:
        """Let these modules see what is in `sys.modules` again."""
        for module in modules.values():
            self._views.pop(id(vars(module)), None)
        self._restore()

    def retire(self, before: int) -> None:
        """Forget the views of what is not run any more."""
        self._views = {key: view for key, view in self._views.items() if view[0] > before}
        self._restore()

    def _restore(self) -> None:
        if self._original is not None and not self._views and builtins.__import__ == self._import:
            builtins.__import__, self._original = self._original, None

    def _import(
        self,
        name: str,
        globals: Optional[Mapping[str, Any]] = None,
        locals: Optional[Mapping[str, Any]] = None,
        fromlist: Optional[Sequence[str]] = (),
        level: int = 0,
    ) -> types.ModuleType:
        seen = self._views.get(id(globals)) if globals is not None else None
        found = _ABSENT if seen is None or globals is None else _in(seen[1], name, globals, fromlist, level)
        if found is not _ABSENT:
            module: types.ModuleType = found
            return module
        original = self._original or importlib.__import__
        result: types.ModuleType = original(name, globals, locals, fromlist, level)
        return result


def _in(
    view: Modules, name: str, globals: Mapping[str, Any], fromlist: Optional[Sequence[str]], level: int
) -> Any:
    """What an import statement gets from a view."""
    whole = name
    if level:
        package = globals.get("__package__") or ""
        try:
            whole = importlib.util.resolve_name("." * level + name, package)
        except ImportError:
            return _ABSENT
    module = view.get(whole)
    if module is None:
        return _ABSENT
    if fromlist:
        is_whole = all(hasattr(module, part) or part == "*" for part in fromlist)
        return module if is_whole else _ABSENT
    top = view.get(name.partition(".")[0]) if not level else module
    return module if top is None else top


def _candidates(sources: Sources, fullname: str, path: Optional[Sequence[str]]) -> list[str]:
    return [f"{base}{end}" for base in _bases(sources, fullname, path) for end in ("/__init__.py", ".py")]


def _bases(sources: Sources, fullname: str, path: Optional[Sequence[str]]) -> list[str]:
    """Where below the root a module may be: as a directory, or with `.py` as a file."""
    directories = [str(sources.root)] if path is None else list(path)
    tail = fullname.rpartition(".")[2]
    below = [sources.path_of(directory) for directory in directories]
    return [tail if one == "." else f"{one}/{tail}" for one in below if one is not None]


def _spec(fullname: str, sources: Sources, path: str) -> Optional[importlib.machinery.ModuleSpec]:
    loader = SourceLoader(sources, path)
    filename = sources.filename(path)
    inside = [str(Path(filename).parent)] if loader.is_package(fullname) else None
    return importlib.util.spec_from_file_location(
        fullname, filename, loader=loader, submodule_search_locations=inside
    )


def _package_spec(
    fullname: str, sources: Sources, path: Optional[Sequence[str]], *, is_preparing: bool
) -> Optional[importlib.machinery.ModuleSpec]:
    """Find directories without `__init__.py`. What is installed under the name and is whole goes before them."""
    bases = _bases(sources, fullname, path)
    inside = [
        sources.filename(base)
        for base in bases
        if any(text is not None and name.startswith(f"{base}/") for name, text in sources.edited.items())
        or (is_preparing and (sources.root / base).is_dir())
    ]
    if not inside:
        return None
    found = importlib.machinery.PathFinder.find_spec(fullname, path)
    if found is not None and found.loader is not None:
        return None
    spec = importlib.machinery.ModuleSpec(fullname, PackageLoader(sources), is_package=True)
    others = [] if found is None else [*(found.submodule_search_locations or ())]
    spec.submodule_search_locations = [*inside, *(place for place in others if place not in inside)]
    return spec


def loaded_from(sources: Sources) -> dict[str, types.ModuleType]:
    """Return the modules that were loaded from these very sources."""
    found = {}
    for name, module in list(sys.modules.items()):
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        if isinstance(loader, (SourceLoader, PackageLoader)) and loader.sources is sources:
            found[name] = module
    return found
