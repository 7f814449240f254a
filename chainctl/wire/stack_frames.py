"""A traceback in; the frames that are the user's, as plain values, out."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sys
import threading
import traceback
from pathlib import Path

import pydantic

MOST_FRAMES = 50
_MOST_READ = 200  # of an endless recursion, only the end is looked at


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The last frames of an exception that are not the framework's or the machinery below it."""
    roots = _machinery()
    frames = traceback.extract_tb(error.__traceback__, limit=-_MOST_READ)
    return [f for f in frames if not f.filename.startswith(roots)][-MOST_FRAMES:]


def _machinery() -> tuple[str, ...]:
    """Beginnings of the file names of code that runs the user's code, or that the user did not write."""
    uvicorn = sys.modules.get("uvicorn")
    packages = [concurrent.futures, asyncio, pydantic, *([uvicorn] if uvicorn else [])]
    directories = [str(Path(p.__file__).parent) + os.sep for p in packages if p.__file__]
    return (_FRAMEWORK, *directories, threading.__file__, "<frozen importlib", _LOOP)


_LOOP = "uvloop" + os.sep  # compiled code has no whole path
_FRAMEWORK = str(Path(__file__).resolve().parent.parent) + os.sep
