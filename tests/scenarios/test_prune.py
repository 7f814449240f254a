"""`chainctl prune` removes what a failed push left to look into, and nothing that serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Chainctl

NAME = "t-prune"
CHAIN = """\
import chainctl as chains


@chains.mark_entrypoint("t-prune")
class Fragile(chains.ChainletBase):
    def __init__(self) -> None:
        {init}

    def run_remote(self) -> int:
        return 1
"""


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def target(request: pytest.FixtureRequest, chainctl: Chainctl) -> Iterator[str]:
    yield request.param
    chainctl("down", NAME, "--target", request.param)


def test_a_corpse_is_named_and_removed(target: str, chainctl: Chainctl, tmp_path: Path) -> None:
    """First only said, then done; the release serves all the time."""
    file = tmp_path / "chain.py"
    file.write_text(CHAIN.format(init="self.x = 1"))
    chainctl("push", str(file), "--target", target)
    assert chainctl("prune", NAME, "--target", target).stdout == ""
    file.write_text(CHAIN.format(init='raise RuntimeError("no")'))
    chainctl("push", str(file), "--target", target, expect=5)
    shown = chainctl("prune", NAME, "--target", target)
    assert "it is failed, and the last release does not need it" in shown.stdout
    assert "`--yes` removes it" in shown.stderr
    assert len(_services(chainctl, target)) == 2
    chainctl("prune", NAME, "--target", target, "--yes")
    assert len(_services(chainctl, target)) == 1
    assert json.loads(chainctl("call", NAME, "{}", "--target", target).stdout) == 1
    chainctl("prune", "t-nobody", "--target", target, expect=2)


def _services(chainctl: Chainctl, target: str) -> list[str]:
    (chain,) = json.loads(chainctl("ps", NAME, "--target", target, "--json").stdout)["chains"]
    return [service["name"] for service in chain["services"]]
