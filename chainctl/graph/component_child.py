"""The child interpreter that runs components: as `components.child`, but missing packages may be imported.

A chain file imports what its chainlets need, which need not be installed where it is deployed. While the
file is loaded, placeholders stand for it; afterwards they are gone, and code that uses one fails.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from collections.abc import Iterator
from typing import Any, NoReturn

from chainctl.components.child import serve
from chainctl.graph.placeholders import PlaceholderFinder, PlaceholderModule


class Missing:
    """What a name of a missing package stands for once the file is loaded: any use of it says so."""

    def __init__(self, dotted: str) -> None:
        self.__dict__["_dotted"] = dotted

    def __getattr__(self, name: str) -> NoReturn:
        raise self._error()

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise self._error()

    def _error(self) -> ModuleNotFoundError:
        dotted = self.__dict__["_dotted"]
        root = dotted.partition(".")[0]
        return ModuleNotFoundError(f"No module named {root!r}, which `{dotted}` is from", name=root)


@contextlib.contextmanager
def placeholders() -> Iterator[None]:
    """Let missing packages be imported within the block."""
    finder = PlaceholderFinder(frozenset(sys.stdlib_module_names) | {"chainctl"})
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in sorted(sys.modules.items()):
            _take_out(name, module)


def _take_out(name: str, module: types.ModuleType) -> None:
    if isinstance(module, PlaceholderModule):
        del sys.modules[name]
    elif "__chainctl_bundle__" in vars(module):
        for key, value in sorted(vars(module).items()):
            dotted = _dotted(value)
            if dotted:
                setattr(module, key, Missing(dotted))


def _dotted(value: Any) -> str | None:
    """The missing name that a value stands for, None for others. A class that derives from one is the user's."""
    if isinstance(value, PlaceholderModule):
        return value.__name__
    holder = value if isinstance(value, type) else type(value)
    return vars(holder).get("__chainctl_missing__") if isinstance(holder, type) else None


if __name__ == "__main__":
    serve(sys.argv[1:], loading=placeholders)
    sys.stderr.flush()
    os._exit(0)  # threads of the user's code do not hold up the command
