"""Paths that are written relative to the file they stand in."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from chainctl.errors import MissingDependencyError


class AbsPath:
    """An absolute path whose existence is looked at only when it is used.

    `original` is what the user wrote, `created_in` the file that it is relative to.
    """

    __slots__ = ("_path", "created_in", "original")

    def __init__(self, abs_path: str, created_in: str = "", original: str = "") -> None:
        self._path = abs_path
        self.created_in = created_in
        self.original = original or abs_path

    @property
    def path(self) -> Path:
        """The absolute path, whether or not there is anything."""
        return Path(self._path)

    @property
    def abs_path(self) -> str:
        """The absolute path of a file or of a directory that holds something.

        Raises MissingDependencyError when there is nothing.
        """
        if self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir())):
            return self._path
        raise MissingDependencyError(
            f"`{self.original}` (in {self.created_in or 'the chain'}) is no file and no directory"
            f" with files: {self._path}",
            hint="write the path relative to the file that calls `make_abs_path_here`.",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbsPath) and self._path == other._path

    def __hash__(self) -> int:
        return hash(self._path)

    def __repr__(self) -> str:
        return f"AbsPath({self._path!r})"

    def __str__(self) -> str:
        return self._path

    def __fspath__(self) -> str:
        return self._path

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _accept, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


def _accept(value: object) -> AbsPath:
    if isinstance(value, AbsPath):
        return value
    if isinstance(value, (str, Path)) and Path(value).is_absolute():
        return AbsPath(str(value))
    raise ValueError("use `chains.make_abs_path_here(…)` or an absolute path")


def make_abs_path_here(file_path: str) -> AbsPath:
    """Resolve a path against the file in which this call is written; absolute paths pass through.

    Call it directly, not through a function of your own: "here" is the immediate caller's file.
    This is the one place where the SDK looks at a caller's frame, because that is its contract.
    """
    frame = inspect.currentframe()
    caller = frame.f_back if frame else None
    here = caller.f_code.co_filename if caller else ""
    path = Path(file_path)
    absolute = path if path.is_absolute() else Path(here).resolve().parent / path
    return AbsPath(str(absolute), created_in=here, original=file_path)
