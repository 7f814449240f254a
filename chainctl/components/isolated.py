"""A bundle of source texts in; its modules, loaded under names of their own beside all others, out."""

from __future__ import annotations

import builtins
import importlib.util
import linecache
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any

from chainctl.components.canonical import sha256
from chainctl.components.origin import live_module
from chainctl.components.source import Bundle, source_of, written


class Isolated:
    """The modules of one bundle. They import each other from the bundle, everything else as usual.

    They stand in `sys.modules` under a prefix with the bundle's digest: dataclasses and pydantic look
    there for the module of a class, and what is loaded twice is the same.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._prefix = f"_chainctl_{sha256(written(bundle))[:16]}."

    def module(self, name: str) -> types.ModuleType:
        """Load a module of the bundle, after the packages that it is in. Raises what its code raises."""
        full = self._prefix + name
        if full in sys.modules:
            return sys.modules[full]
        parent, _, last = name.rpartition(".")
        above = self.module(parent) if parent else None
        if full in sys.modules:  # the package imported it
            return sys.modules[full]
        module = self._new(name, full)
        sys.modules[full] = module
        try:
            self._execute(module, name)
        except BaseException:
            del sys.modules[full]
            raise
        if above is not None:
            setattr(above, last, module)
        return module

    def _new(self, name: str, full: str) -> types.ModuleType:
        source = self._bundle[name]
        module = types.ModuleType(full)
        file = name.replace(".", "/") + ("/__init__.py" if source.is_package else ".py")
        module.__dict__.update(
            __file__=f"<stored {file}>",
            __package__=full if source.is_package else full.rpartition(".")[0],
            __builtins__={**vars(builtins), "__import__": self._import},
            __chainctl_name__=name,
            __chainctl_bundle__=self._bundle,
            __chainctl_prefix__=self._prefix,
        )
        if source.is_package:
            module.__path__ = []
        return module

    def _execute(self, module: types.ModuleType, name: str) -> None:
        digest = self._prefix.rpartition("_")[2][:8]
        text, file = self._bundle[name].text, f"{str(module.__file__)[:-1]} {digest}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec", dont_inherit=True), module.__dict__)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """Answer an import statement of the bundle's code, as `__import__` does."""
        wanted = self._absolute(name, globals, level)
        if wanted not in self._bundle:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self.module(wanted)
        for each in fromlist or ():
            if f"{wanted}.{each}" in self._bundle and not hasattr(module, each):
                self.module(f"{wanted}.{each}")
        if fromlist:
            return module
        return self.module(wanted.partition(".")[0] if not level else wanted)

    def _absolute(self, name: str, globals: Mapping[str, object] | None, level: int) -> str:
        if not level:
            return name
        package = str((globals or {}).get("__package__") or "")
        return importlib.util.resolve_name("." * level + name, package).removeprefix(self._prefix)


def live_modules(bundle: Bundle) -> Mapping[str, types.ModuleType]:
    """Return the loaded modules that have the texts of the bundle; none when any module differs."""
    if any(source_of(name) != source for name, source in bundle.items()):
        return {}
    found = ((name, live_module(name)) for name in bundle)
    return {name: module for name, module in found if module is not None}
