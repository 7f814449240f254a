"""The error for a result that does not fit its annotation."""

from __future__ import annotations

from chainctl.wire.invalid import InvalidValue


class OutputMismatch(Exception):
    """What `run_remote` returned does not fit its annotation; `mismatch` names each place."""

    def __init__(self, message: str, mismatch: InvalidValue) -> None:
        super().__init__(message)
        self.mismatch = mismatch
