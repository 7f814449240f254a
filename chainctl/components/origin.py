"""A function, class or module in; where another interpreter finds it, and whether in the user's files, out."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import types
from dataclasses import dataclass
from pathlib import Path

_CHAINCTL = str(Path(__file__).resolve().parent.parent) + os.sep


@dataclass(frozen=True, slots=True)
class Origin:
    """A module and a dotted name in it; the name is "" for the module itself."""

    module: str
    name: str
    is_user: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


def origin_of(value: object) -> Origin | None:
    """Find a function, class or module again by its name; None where that gives something else."""
    if isinstance(value, types.ModuleType):
        return Origin(module_name(value), "", is_user_module(value))
    module = home_of(value)
    name = _name_in(module, value) if module else None
    if module is None or name is None:
        return None
    is_user = is_user_module(module)
    return (
        None if module.__name__ == "__main__" and not is_user else Origin(module_name(module), name, is_user)
    )


def home_of(value: object) -> types.ModuleType | None:
    """Return the loaded module that a function or class is from; a module is its own."""
    if isinstance(value, types.ModuleType):
        return value
    return sys.modules.get(getattr(value, "__module__", None) or "builtins")


def _name_in(module: types.ModuleType, value: object) -> str | None:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if isinstance(name, str) and found_in(module, name) is value:
        return name
    if name == "<lambda>":  # assigned to a name of the module
        return next((key for key, held in vars(module).items() if held is value), None)
    return None


def found_in(module: types.ModuleType, name: str) -> object:
    """Look a dotted name up in a module, None where there is nothing."""
    found: object = module
    for part in name.split(".") if name else ():
        found = getattr(found, part, None) if part.isidentifier() else None
    return found


def module_name(module: types.ModuleType) -> str:
    """Return the name by which a module can be imported; a script's is that of its file."""
    isolated = getattr(module, "__chainctl_name__", None)
    if isinstance(isolated, str):
        return isolated
    if module.__name__ != "__main__":
        return module.__name__
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name != "__main__":
        return str(spec.name).removesuffix(".__main__")
    file = getattr(module, "__file__", None)
    return Path(file).stem if file else "__main__"


def live_module(name: str) -> types.ModuleType | None:
    """Return the loaded module of a name, the running script among them."""
    found = sys.modules.get(name)
    main = sys.modules.get("__main__")
    if found is None and main is not None and module_name(main) == name:
        return main
    return found


def is_user_module(module: types.ModuleType) -> bool:
    """Say whether a module is a Python file of the user's: neither installed nor Python's or chainctl's own."""
    if hasattr(module, "__chainctl_name__"):
        return True
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and is_user_file(file)


@functools.lru_cache(maxsize=4096)
def is_user_file(file: str) -> bool:
    """Say whether a path is that of a Python file of the user's."""
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        return False
    places = {str(path.absolute()), str(path.resolve())}
    if any(
        f"{os.sep}{name}{os.sep}" in place for place in places for name in ("site-packages", "dist-packages")
    ):
        return False
    return not any(place.startswith(root) for place in places for root in (*_library_roots(), _CHAINCTL))


@functools.cache
def _library_roots() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(sorted({sysconfig.get_path(name) + os.sep for name in names}))
