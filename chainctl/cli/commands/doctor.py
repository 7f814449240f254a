"""`chainctl doctor`: what is wrong on this machine, and the command that mends it."""

from __future__ import annotations


def doctor() -> None:
    """Check engine, builder, disk, GPU, base image and ports."""
