"""Only processes that belong to a place in the runtime directory are ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chainctl.adapters.local.orphans import kill_processes_of


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_a_neighbour_is_left_alone(tmp_path: Path) -> None:
    """A path that merely begins the same is another place; what inherits the mark is not spared."""
    mine, neighbour = tmp_path / "run", tmp_path / "run2"
    with sleeper(mine / "s" / "a") as ours, sleeper(neighbour / "s" / "a") as theirs:
        kill_processes_of(mine)
        assert ours.wait(10) == -signal.SIGKILL
        assert theirs.poll() is None
        theirs.kill()


def sleeper(place: Path) -> subprocess.Popen[bytes]:
    """Start a process that waits for its stdin to close, marked as listening at a place."""
    return subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        env={"CHAINCTL_LISTEN": f"unix:{place}"},
    )
