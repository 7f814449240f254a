"""`chains.push` does from Python what the verb does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, Chainctl

SCRIPT = """
import sys

sys.path.insert(0, {directory!r})
import chainctl as chains
from chain import HelloAll

pushed = chains.push(HelloAll, "t-pushed", target="local")
assert pushed.run_remote_url == pushed.url + "/run_remote"
print(pushed.name, pushed.run_remote({{"names": ["Ada"]}}))
"""


def test_a_chain_is_pushed_and_called_from_python(chainctl: Chainctl, tmp_path: Path) -> None:
    """The class names the file; the result has the chain's name and URL, and calls it."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(directory=str(ROOT / "examples" / "hello")), encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, str(script)],
            env=dict(chainctl.environ),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "t-pushed Hello, Ada\n"
    finally:
        chainctl("down", "t-pushed", "--target", "local")
