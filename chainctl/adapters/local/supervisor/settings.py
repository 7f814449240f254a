"""The place of a run in, what its supervisor needs to know out."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from chainctl.adapters.local.paths import RunPaths


class RunSettings(BaseModel):
    """Written by the command line before it starts a supervisor, read by that once."""

    model_config = ConfigDict(frozen=True)

    run: RunPaths
    drain_sec: float = 30.0


def read_settings(run_directory: Path) -> RunSettings:
    return RunSettings.model_validate_json((run_directory / "run.json").read_bytes())
