"""A path in; the directory there, with all that had to be made for it ours alone, out."""

from __future__ import annotations

from pathlib import Path


def private_directory(path: Path) -> Path:
    """Make a directory and what is missing above it, each with mode 0700. Raises OSError."""
    missing = [path, *path.parents]
    for directory in reversed([one for one in missing if not one.exists()]):
        directory.mkdir(mode=0o700, exist_ok=True)
    return path
