"""`chain.py` or `chain.py:Entrypoint` in; a ChainFile that knows how it is imported out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from chainctl.errors import ChainDefinitionError, Problem

# Names that our own runtime imports in the container: a user's file must not stand before them.
_RUNTIME = ("annotated_types", "chainctl", "click", "h11", "httptools", "pydantic", "pydantic_core",
            "typing_extensions", "typing_inspection", "uvicorn", "uvloop")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChainFile:
    """A file with chainlets. `root` is the directory that its imports are relative to.

    A file in a package (a directory with `__init__.py`) is imported as part of it: `module` is
    dotted then, and `root` is the directory that holds the outermost package.
    """

    path: Path
    root: Path
    module: str
    entrypoint: str | None = None

    @classmethod
    def parse(cls, text: str) -> ChainFile:
        """Read what the user wrote. Raises ChainDefinitionError when there is no such file."""
        name, _, entrypoint = text.partition(":")
        path = Path(name).resolve()
        problem = _problem(name or ".", path)
        if problem:
            raise ChainDefinitionError([problem])
        root = path.parent
        while (root / "__init__.py").exists():
            root = root.parent
        parts = path.relative_to(root).with_suffix("").parts
        return cls(path, root, ".".join(parts), entrypoint or None)


def _problem(name: str, path: Path) -> Problem | None:
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        return Problem("CH0101", f"{name} {what}", help="name a Python file: `chainctl push chain.py`")
    if path.suffix != ".py":
        return Problem(
            "CH0101", f"{name} is no Python file", help="name a Python file: `chainctl push chain.py`"
        )
    stem = path.stem
    if "." in stem:
        return Problem(
            "CH0105",
            f"the file name has a dot in `{stem}`, so Python cannot import it",
            str(path),
            help=f"rename the file, such as to `{stem.replace('.', '_')}.py`",
        )
    if stem in sys.stdlib_module_names or stem in _RUNTIME:
        return Problem(
            "CH0105",
            f"the file name hides the module `{stem}`, which Python or the runtime needs",
            str(path),
            help=f"rename the file, such as to `{stem}_chain.py`",
        )
    return None
