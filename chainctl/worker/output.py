"""The error for a result that does not fit its annotation."""

from __future__ import annotations


class OutputMismatch(Exception):
    """What `run_remote` returned does not fit its annotation."""
