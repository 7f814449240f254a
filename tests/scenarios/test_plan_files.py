"""A plan that is looked at and then pushed, as a user does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Chainctl

SOURCE = (
    "import chainctl as chains\n\n\n"
    "class Planned(chains.ChainletBase):\n"
    "    def run_remote(self, n: int) -> int:\n"
    "        return n\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "chain.py").write_text(SOURCE)
    return tmp_path / "chain.py"


def test_a_plan_is_written_pushed_and_refused(chainctl: Chainctl, file: Path) -> None:
    """The first push of a chain too; an edit is named, and so is what breaks callers."""
    plan, common = str(file.with_name("plan.json")), ("--target", "local", "--name", "planned-once")
    try:
        chainctl("plan", str(file), *common, "--out", plan)
        assert json.loads(Path(plan).read_text())["shown"]["total"] == "Plan: 1 to create, 0 kept."
        chainctl("push", str(file), *common, "--plan", plan)
        file.write_text(SOURCE.replace("n: int)", "n: int, m: int)"))
        shown = json.loads(chainctl("plan", str(file), *common, "--json", "--exit-code", expect=10).stdout)
        assert shown["interfaces"]["changes"] == [
            {"where": "front door", "text": "`m` is new and required", "is_breaking": True}
        ]
        assert shown["steps"][0]["operation"] == "StartService"
        chainctl("plan", str(file), *common, "--out", plan)
        file.write_text(SOURCE + "# edited\n")
        done = chainctl("push", str(file), *common, "--plan", plan, expect=5)
        assert "chain.py changed" in done.stderr
    finally:
        chainctl("down", "planned-once", "--target", "local")


def test_a_plan_file_needs_to_know_what_runs(chainctl: Chainctl, file: Path) -> None:
    done = chainctl("plan", str(file), "--target", "local", "--offline", "--out", "p.json", expect=2)
    assert "exclude each other" in done.stderr
