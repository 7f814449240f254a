"""A module that is not installed in; something that lets the chain file be imported all the same out.

Runs in the child interpreter only. A placeholder takes part in whatever a module does while it is
imported (attributes, calls, decorators, base classes, annotations, operators) and remembers its
dotted name, so that one which ends up in a signature can be reported.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import CoreSchema, core_schema

from chainctl.sdk.chainlet import ChainletMeta
from chainctl.sdk.locate import SourceFile, is_installed
from chainctl.wire.missing import MISSING_KEY
from chainctl.wire.missing import missing_in as missing_in

_IMPORT_ERRORS = ("'ImportError'", "'ModuleNotFoundError'", "'Exception'", "'BaseException'")


class PlaceholderFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Comes last on `sys.meta_path`: what nobody else can import becomes a placeholder.

    `never` are root modules whose absence must stay an ImportError. `found` lists what was missing.
    """

    def __init__(self, never: frozenset[str]) -> None:
        self._never = never
        self.found: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        root, _, rest = fullname.partition(".")
        if root in self._never or (rest and not self._is_ours(fullname)) or _can_do_without():
            return None
        self.found.add(root)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def _is_ours(self, fullname: str) -> bool:
        return isinstance(sys.modules.get(fullname.rpartition(".")[0]), PlaceholderModule)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return PlaceholderModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to execute."""


def _can_do_without() -> bool:
    """Say whether who imports is prepared for that: installed code that catches the error, or only asks.

    A placeholder would lead it to use what is not there. What a user's own file guards may be what it needs
    in the image, so that is given one.
    """
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_name == "find_spec" and "util" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    if frame is None:
        return False
    if frame.f_code.co_filename == importlib.util.__file__:  # where it is not frozen
        return True
    return is_installed(frame.f_code.co_filename) and _is_guarded(frame.f_code.co_filename, frame.f_lineno)


def _is_guarded(filename: str, line: int) -> bool:
    """Whether an error of a line is caught in its own function, as one that an import may raise."""
    tree = SourceFile.read(filename).tree
    blocks = (node for node in ast.walk(tree) if isinstance(node, (ast.Try, ast.With))) if tree else ()
    return any(
        node.body[0].lineno <= line <= (node.body[-1].end_lineno or 0) and _catches(node) for node in blocks
    )


def _catches(block: ast.Try | ast.With) -> bool:
    if isinstance(block, ast.With):
        return any("suppress" in ast.dump(item.context_expr) for item in block.items)
    caught = [handler.type for handler in block.handlers]
    return any(kind is None or any(name in ast.dump(kind) for name in _IMPORT_ERRORS) for kind in caught)


class PlaceholderModule(types.ModuleType):
    """A module that has every attribute."""

    __path__: list[str] = []  # noqa: RUF012  # what Python looks for on a package
    __all__: list[str] = []  # noqa: RUF012  # `import *` brings nothing
    __version__ = "0"
    __file__ = ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = placeholder(f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


class _PlaceholderMeta(ChainletMeta):
    """Makes a placeholder class answer as an object would."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return placeholder(f"{cls.__dict__.get('__chainctl_missing__', cls.__name__)}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and isinstance(args[0], (types.FunctionType, type)):
            return args[0]
        return object.__new__(typing.cast("type[Any]", cls))

    def __getitem__(cls, _: Any) -> Any:
        return cls

    def __iter__(cls) -> Iterator[Any]:
        return iter(())

    def __len__(cls) -> int:
        return 0

    def __bool__(cls) -> bool:
        return True

    def __int__(cls) -> int:
        return 0

    def __float__(cls) -> float:
        return 0.0

    def _same(cls, *_: Any) -> Any:
        return cls

    def _false(cls, _: Any) -> bool:
        return False

    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __pow__ = __matmul__ = __mod__ = _same
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rpow__ = __rmatmul__ = __rmod__ = _same
    __and__ = __rand__ = __xor__ = __rxor__ = __lshift__ = __rshift__ = _same  # `|` makes a Union
    __invert__ = __neg__ = __pos__ = __abs__ = __round__ = _same
    __lt__ = __le__ = __gt__ = __ge__ = _false


class _Placeholder(metaclass=_PlaceholderMeta):
    """Base of all placeholders; instances are what calls of placeholders return."""

    def __init_subclass__(cls, **_: Any) -> None:
        """Accept whatever keywords the real base class would."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return placeholder(f"{type(self).__name__}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return type(self)(*args, **kwargs)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __int__(self) -> int:
        return 0

    def __float__(self) -> float:
        return 0.0

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the block as any context manager does."""

    def _same(self, *_: Any) -> Any:
        return self

    def _false(self, _: Any) -> bool:
        return False

    __getitem__ = __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __pow__ = __matmul__ = _same
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rpow__ = __rmatmul__ = __rmod__ = _same
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = __rshift__ = __mod__ = _same
    __invert__ = __neg__ = __pos__ = __abs__ = __round__ = _same
    __lt__ = __le__ = __gt__ = __ge__ = _false

    def __setitem__(self, key: Any, value: Any) -> None:
        """Accept and forget."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.any_schema()

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {MISSING_KEY: getattr(cls, "__chainctl_missing__", cls.__name__)}


def placeholder(dotted: str) -> Any:
    """Make the placeholder for one missing name."""
    return _PlaceholderMeta(dotted.rpartition(".")[2], (_Placeholder,), {"__chainctl_missing__": dotted})
