"""The directory of a chain's code and the texts that edits brought in; the source of any module out."""

from __future__ import annotations

import io
import linecache
import os
import sys
import tokenize
import types
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Optional, Union

from chainctl.worker.generations.refusal import Refused

Texts = Mapping[str, Optional[str]]
"""Texts by path, None for a file that was removed."""


class Sources:
    """Source texts by their path below `root`; what edits brought lies over what the image has.

    Texts live in memory only: an image's file system may be read-only, and a process that starts anew is
    as its image is.
    """

    def __init__(self, root: Path, edited: Optional[Texts] = None) -> None:
        self.root = root
        self._prefix = f"{root}{os.sep}"
        self.edited: dict[str, Optional[str]] = dict(edited or {})

    def edited_by(self, texts: Texts) -> Sources:
        """Return the sources as they are with one more edit."""
        return Sources(self.root, {**self.edited, **texts})

    def text(self, path: str) -> Optional[str]:
        """Return the text of a file, None where there is none."""
        if path in self.edited:
            return self.edited[path]
        try:
            return _decoded((self.root / path).read_bytes())
        except (OSError, SyntaxError, ValueError):
            return None

    def filename(self, path: str) -> str:
        """Return the name that code of a file has in tracebacks."""
        return str(self.root / path)

    def path_of(self, filename: str) -> Optional[str]:
        """Return the path below the root, None for a file elsewhere."""
        if filename == str(self.root):
            return "."
        return filename[len(self._prefix) :] if filename.startswith(self._prefix) else None

    def files(self) -> dict[str, str]:
        """Return the paths of all files that modules came from or that were edited, by file name."""
        known = {self.filename(path): path for path in self.edited}
        for module in list(sys.modules.values()):
            path = self.path_of_module(module)
            if path is not None:
                known[self.filename(path)] = path
        return known

    def path_of_module(self, module: Union[types.ModuleType, object]) -> Optional[str]:
        """Return the path of a user's module, None for any other."""
        filename = getattr(module, "__file__", None)
        return self.path_of(filename) if isinstance(filename, str) else None

    def show(self, paths: Texts) -> None:
        """Let tracebacks show these texts as they are now."""
        for path in paths:
            filename, text = self.filename(path), self.text(path)
            if text is None:
                linecache.cache.pop(filename, None)
            else:
                linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)


def checked_path(path: object) -> str:
    """Return a path below the root that may be a Python source. Raises Refused."""
    if not isinstance(path, str) or not path:
        raise Refused(f"{path!r} is no path", "restart")
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        raise Refused(f"`{path}` is not a path below the chain's root", "restart", path)
    if pure.suffix != ".py":
        raise Refused(f"`{path}` is no Python source, a running process cannot take it on", "restart", path)
    return path


def module_name(path: str) -> str:
    """Return the name under which a file is imported."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _decoded(data: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return io.TextIOWrapper(io.BytesIO(data), encoding, newline=None).read()
