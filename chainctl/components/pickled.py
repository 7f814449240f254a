"""An object that has no other form in; pickled bytes, in which the user's code and components are names, out."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from typing import Any

from chainctl.errors import EncodeError

Reference = tuple[str, str]


def dumps(value: object, reference: Callable[[object], Reference | None]) -> tuple[bytes, bool]:
    """Pickle a value. `reference` names what is not to be pickled; the second value says whether code was.

    Code, which is bound to the minor version of Python, is pickled only where plain pickle gives up.
    """
    try:
        return _dumped(pickle.Pickler, value, reference), False
    except EncodeError:
        raise
    except (pickle.PicklingError, AttributeError, TypeError):
        import cloudpickle

        return _dumped(cloudpickle.Pickler, value, reference), True


def _dumped(base: Any, value: object, reference: Callable[[object], Reference | None]) -> bytes:
    class Pickler(base):  # type: ignore[misc]  # one of two
        def persistent_id(self, each: object) -> Reference | None:
            return reference(each)

    out = io.BytesIO()
    Pickler(out, protocol=4).dump(value)
    return out.getvalue()


def loads(data: bytes, resolve: Callable[[Reference], object]) -> Any:
    """Make the value again. Runs code that the bytes name."""
    return _Unpickler(data, resolve).load()


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, resolve: Callable[[Reference], object]) -> None:
        super().__init__(io.BytesIO(data))
        self._resolve = resolve

    def persistent_load(self, name: Any) -> object:
        return self._resolve(name)

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        return _kept(found) if (module, name) == ("cloudpickle.cloudpickle", "_class_setstate") else found


def _kept(set_state: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """cloudpickle finds a class that lives in this process, and would put copied methods into it."""

    def keep(cls: Any, state: Any) -> Any:
        names = [name for name, value in state[0].items() if callable(value)]
        is_complete = any(name in vars(cls) and name != "__init__" for name in names)
        return cls if is_complete else set_state(cls, state)

    return keep


PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
