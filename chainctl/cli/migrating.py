"""Python files in; the same with imports of chainctl, written back whole or not at all, out."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chainctl.errors import ChainDefinitionError, Problem, UsageError
from chainctl.graph.migrate import migrated


@dataclass(frozen=True, slots=True)
class Migration:
    """What became of files: their names, and all differences as one text."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    diff: str

    @property
    def text(self) -> str:
        told = [f"{name}: imports chainctl now" for name in self.changed]
        return "\n".join([*told, *(f"{name}: nothing to change" for name in self.unchanged)])


def migrate_files(files: Sequence[Path], *, is_dry: bool) -> Migration:
    """Rewrite files, all of them or none. Raises ChainDefinitionError with every place that cannot be rewritten."""
    texts = {file: _text(file) for file in dict.fromkeys(files)}
    results = {file: migrated(text, str(file.absolute())) for file, (text, _) in texts.items()}
    problems: list[Problem] = [problem for result in results.values() for problem in result.problems]
    if problems:
        raise ChainDefinitionError(problems)
    changed = [file for file, result in results.items() if result.text != texts[file][0]]
    diff = "".join(_diff(file, texts[file][0], results[file].text) for file in changed)
    if not is_dry:
        for file in changed:
            _write(file, results[file].text.encode(texts[file][1]))
    return Migration(
        tuple(map(str, changed)), tuple(str(file) for file in texts if file not in changed), diff
    )


def _text(file: Path) -> tuple[str, str]:
    """A file's text with the line ends that it has, and its encoding."""
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "does not exist"
        raise UsageError(f"{file} {what}", hint="name Python files: `chainctl migrate chain.py`.")
    try:
        with file.open("rb") as opened:
            encoding, _ = tokenize.detect_encoding(opened.readline)
        return file.read_bytes().decode(encoding), encoding
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no Python file: {error}", hint="name Python files.") from error


def _diff(file: Path, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{file}", f"b/{file}"
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _write(file: Path, data: bytes) -> None:
    """Replace a file at once, with the permissions that it had; a link is followed."""
    place = file.resolve()
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".{place.name}-", delete=False) as new:
        new.write(data)
    Path(new.name).chmod(stat.S_IMODE(place.stat().st_mode))
    os.replace(new.name, place)  # noqa: PTH105  # as the rest of it, by name
