"""Modules to execute anew in; fresh module objects out, with the old ones untouched and in place again."""

from __future__ import annotations

import importlib
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from chainctl.worker.generations.importing import SourceFinder, loaded_from
from chainctl.worker.generations.sources import Sources

Modules = dict[str, types.ModuleType]


class Window:
    """While it is open, `sys.modules` has the fresh modules in the place of the old ones.

    That is needed while classes are made, because annotations are looked up there. Closing it twice does
    no harm: work that was given up may end late.
    """

    def __init__(self, finder: SourceFinder, sources: Sources, old: Modules) -> None:
        self._finder = finder
        self._sources = sources
        self._old = old
        self._lock = threading.Lock()
        self._is_open = False
        self._was_closed = False
        self.fresh: Modules = {}

    def execute(self, names: Iterable[str]) -> None:
        """Import modules from the new sources. Raises what they raise."""
        for name in sorted(names):
            importlib.import_module(name)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open it for a while, for the thread that does."""
        with self._lock:
            if self._was_closed:
                raise InterruptedError("the edit was given up")
            for name in self._old:
                sys.modules.pop(name, None)
            sys.modules.update(self.fresh)
            self._is_open = True
        try:
            with self.preparing():
                yield
        finally:
            self._shut()

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Let modules that are imported for the first time come from the new sources."""
        token = self._finder.preparing.set(self._sources)
        try:
            yield
        finally:
            self._finder.preparing.reset(token)
            self._collect()

    def close(self) -> None:
        """Put back what was there, for good."""
        self._was_closed = True
        self._shut()

    def install(self, removed: Iterable[str]) -> None:
        """Have everybody see the fresh modules from now on."""
        for name in removed:
            sys.modules.pop(name, None)
        sys.modules.update(self.fresh)

    def _shut(self) -> None:
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            self._take_out()
            sys.modules.update(self._old)

    def _collect(self) -> None:
        """Take modules that came late out of the way of the live ones."""
        with self._lock:
            if not self._is_open:
                self._take_out()
                sys.modules.update({name: m for name, m in self._old.items() if name not in sys.modules})

    def _take_out(self) -> None:
        for name, module in loaded_from(self._sources).items():
            self.fresh[name] = module
            sys.modules.pop(name, None)  # an import that was given up may have taken it out itself
