"""A directory that is gone when the process that made it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chainctl.adapters.guarded_directory import guarded_directory
from tests.conftest import await_condition

_PROGRAM = """\
import sys
from chainctl.adapters.guarded_directory import guarded_directory
with guarded_directory("x-", sys.argv[1]) as place:
    (place / "secret").write_text("1")
    print(place, flush=True)
    sys.stdin.read()
"""


def test_it_is_ours_and_goes_with_the_block(tmp_path: Path) -> None:
    """With all that is in it."""
    with guarded_directory("x-", str(tmp_path)) as place:
        (place / "below").mkdir()
        assert place.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_it_goes_with_a_process_that_is_killed(tmp_path: Path) -> None:
    """Nobody is left then who could remove it, but for the guard."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        place = Path(process.stdout.readline().strip())
        assert (place / "secret").exists()
        process.kill()
    await_condition(lambda: not place.exists(), seconds=20)
