"""`chain.py`, `chain.py:Entrypoint` or a Truss directory in; a ChainFile that knows how it is imported out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from chainctl.errors import ChainDefinitionError, Problem

# Names that our own runtime imports in the container: a user's file must not stand before them.
_RUNTIME = ("annotated_types", "chainctl", "click", "h11", "httptools", "pydantic", "pydantic_core",
            "typing_extensions", "typing_inspection", "uvicorn", "uvloop")  # fmt: skip


TRUSS_CONFIG = "config.yaml"


@dataclass(frozen=True, slots=True)
class ChainFile:
    """A file with chainlets, or the `config.yaml` of a Truss directory. `root` is what imports are relative to.

    A file in a package (a directory with `__init__.py`) is imported as part of it: `module` is
    dotted then, and `root` is the directory that holds the outermost package. Which module a Truss directory's
    model is in, its configuration says: `module` is "" there.
    """

    path: Path
    root: Path
    module: str
    entrypoint: str | None = None

    @property
    def is_truss(self) -> bool:
        """Say whether it is a Truss directory."""
        return self.path.name == TRUSS_CONFIG

    @classmethod
    def parse(cls, text: str) -> ChainFile:
        """Read what the user wrote. Raises ChainDefinitionError when there is no such file."""
        name, _, entrypoint = text.partition(":")
        path = Path(name).resolve()
        if config := _truss_config(path):
            if entrypoint:
                raise ChainDefinitionError([_no_entrypoints(name, entrypoint)])
            return cls(config, config.parent, "")
        problem = _problem(name or ".", path)
        if problem:
            raise ChainDefinitionError([problem])
        root = path.parent
        while (root / "__init__.py").exists():
            root = root.parent
        parts = path.relative_to(root).with_suffix("").parts
        return cls(path, root, ".".join(parts), entrypoint or None)


def _truss_config(path: Path) -> Path | None:
    """The configuration of a Truss directory, where a path names one, or the file itself."""
    config = path / TRUSS_CONFIG if path.is_dir() else path
    return config if config.name == TRUSS_CONFIG and config.is_file() else None


def _no_entrypoints(name: str, entrypoint: str) -> Problem:
    return Problem(
        "CH0109",
        f"{name} is a Truss directory, which has one model and no `{entrypoint}` to choose",
        help=f"leave `:{entrypoint}` out; which class it is, `model_class_name` in its {TRUSS_CONFIG} says",
    )


def _problem(name: str, path: Path) -> Problem | None:
    if path.is_dir():
        is_misnamed = (path / "config.yml").is_file()
        return Problem(
            "CH0101",
            f"{name} is a directory without a {TRUSS_CONFIG}",
            help=f"rename its config.yml to {TRUSS_CONFIG}"
            if is_misnamed
            else f"name a Python file, `chainctl push chain.py`, or a Truss directory: one with a {TRUSS_CONFIG}",
        )
    if not path.is_file():
        return Problem(
            "CH0101", f"{name} does not exist", help="name a Python file: `chainctl push chain.py`"
        )
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
