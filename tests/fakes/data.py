"""Files in memory in; the same on disk, as a source of data gives them, out."""

from __future__ import annotations

from pathlib import Path

from chainctl.deploy.release import DataMount


class MemoryData:
    """A source of data that has nothing but what is put in."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self.asked: list[str] = []
        self.dropped: list[str] = []

    def get(self, data: DataMount) -> Path:
        assert self._directory is not None, f"nobody should ask for {data.name}"
        self.asked.append(data.name)
        return self._directory / data.filename

    def drop(self, data: DataMount) -> None:
        self.dropped.append(data.name)
