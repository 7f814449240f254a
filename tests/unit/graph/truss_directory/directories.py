"""Truss directories for tests, written from the texts of their files."""

from __future__ import annotations

from pathlib import Path

from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.truss_directory import TrussDirectory, read_directory

MODEL = "class Model:\n    def predict(self, inputs):\n        return inputs\n"


def directory_at(
    root: Path, config: str | bytes | None = "", model: str | None = MODEL, **files: str
) -> Path:
    """Write a directory. `None` leaves a file out; further files are by name, with `__` for a slash."""
    root.mkdir(parents=True, exist_ok=True)
    texts = {"model/model.py": model, **{name.replace("__", "/"): text for name, text in files.items()}}
    for name, text in texts.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
    if config is not None:
        content = config if isinstance(config, bytes) else config.encode("utf-8", "surrogatepass")
        (root / "config.yaml").write_bytes(content)
    return root


def read(root: Path, config: str | bytes | None = "", model: str | None = MODEL) -> TrussDirectory:
    return read_directory(directory_at(root, config, model))


def problems(root: Path, config: str | bytes | None = "", model: str | None = MODEL) -> list[Problem]:
    """All that is told of a directory, whether or not it can be used."""
    try:
        return list(read(root, config, model).warnings)
    except ChainDefinitionError as error:
        return list(error.problems)


def told(root: Path, config: str | bytes | None = "", model: str | None = MODEL) -> list[str]:
    """Each problem as `line:column code message`."""
    return [f"{p.line}:{p.column} {p.code} {p.message}" for p in problems(root, config, model)]
