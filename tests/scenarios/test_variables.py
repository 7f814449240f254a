"""`chainctl env`: what it sets reaches chainlets with the next push, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Chainctl

CHAIN = """\
import os

import chainctl as chains


@chains.mark_entrypoint("t-variable")
class Reader(chains.ChainletBase):
    def run_remote(self) -> str:
        return os.environ.get("T_LEVEL", "none")
"""


def test_a_variable_is_planned_pushed_and_taken_back(chainctl: Chainctl, tmp_path: Path) -> None:
    """The plan names it; nothing is set of what is refused, and an unknown chain or chainlet is said."""
    file = tmp_path / "chain.py"
    file.write_text(CHAIN)
    assert "no chain called t-variable" in chainctl("env", "set", "t-variable", "A=1", expect=2).stderr
    chainctl("secret", "set", "t_key", stdin="hunter2-hunter2")
    try:
        chainctl("push", str(file), "--target", "local")
        refused = chainctl("env", "set", "t-variable", "A=1", "B=hunter2-hunter2", expect=2).stderr
        assert "chainctl secret set t_key" in refused
        assert "hunter2" not in refused
        assert (
            "no chainlet called Other" in chainctl("env", "set", "t-variable/Other", "A=1", expect=2).stderr
        )
        assert "set by chainctl" in chainctl("env", "set", "t-variable", "CHAINCTL_X=1", expect=2).stderr
        assert json.loads(chainctl("env", "list", "--json").stdout)["variables"] == []
        chainctl("env", "set", "t-variable/Reader", "T_LEVEL=debug")
        planned = chainctl("plan", str(file), "--target", "local").stdout
        assert "its configuration changed: T_LEVEL" in planned
        chainctl("push", str(file), "--target", "local")
        assert chainctl("call", "t-variable", "{}").stdout.strip() == "debug"
        assert "T_LEVEL" in chainctl("env", "list", "t-variable").stdout
        chainctl("env", "rm", "t-variable/Reader", "T_LEVEL")
        chainctl("push", str(file), "--target", "local")
        assert chainctl("call", "t-variable", "{}").stdout.strip() == "none"
    finally:
        chainctl("down", "t-variable", "--target", "local")
