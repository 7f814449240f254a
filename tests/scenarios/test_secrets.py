"""`chainctl secret`: what it keeps, whom it names, and that it shows no value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Chainctl

VALUE, NEWER = "hunter2-hunter2", "correct-horse-battery"
CHAIN = """\
import chainctl as chains


class Plain(chains.ChainletBase):
    def run_remote(self) -> str:
        return "plain"


@chains.mark_entrypoint("t-secretive")
class Reader(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["t_key"]))

    def __init__(
        self,
        plain: Plain = chains.depends(Plain),
        context: chains.DeploymentContext = chains.depends_context(),
    ) -> None:
        self._length = len(context.secrets["t_key"])
        self._plain = plain

    def run_remote(self) -> int:
        return self._length
"""


@pytest.fixture
def pushed(chainctl: Chainctl, tmp_path: Path) -> Iterator[Path]:
    """A chain that reads a secret, on the local target."""
    file = tmp_path / "chain.py"
    file.write_text(CHAIN)
    chainctl("secret", "set", "t_key", stdin=VALUE + "\n")
    chainctl("push", str(file), "--target", "local")
    yield file
    chainctl("down", "t-secretive", "--target", "local")


def test_a_saved_secret_reaches_its_reader_and_nobody_else(chainctl: Chainctl, pushed: Path) -> None:
    """Without the line break that ended it. A rotation is seen, marked, and taken over by the next push."""
    assert json.loads(chainctl("call", "t-secretive", "{}").stdout) == len(VALUE)
    before = _services(chainctl)
    said = chainctl("secret", "set", "t_key", stdin=NEWER)
    assert "The next push of t-secretive gives it to its readers: t-secretive/Reader." in said.stderr
    (listed,) = json.loads(chainctl("secret", "list", "--json").stdout)["secrets"]
    assert listed["readers"] == [
        {"chain": "t-secretive", "target": "local", "chainlet": "Reader", "has_older_value": True}
    ]
    chainctl("push", str(pushed), "--target", "local")
    assert json.loads(chainctl("call", "t-secretive", "{}").stdout) == len(NEWER)
    after = _services(chainctl)
    assert after["Plain"] == before["Plain"]
    assert "older" not in chainctl("secret", "list").stdout
    shown = "".join(
        done.stdout + done.stderr for done in (said, chainctl("secret", "list"), chainctl("ps", "--json"))
    )
    assert VALUE not in shown
    assert NEWER not in shown


def test_a_secret_that_is_read_is_kept_unless_forced(chainctl: Chainctl, pushed: Path) -> None:
    """Who reads it is named; without it the next push is refused with the verb that helps."""
    refused = chainctl("secret", "rm", "t_key", expect=2)
    assert "the secret t_key is read by t-secretive/Reader" in refused.stderr
    chainctl("secret", "rm", "t_key", "--force")
    failed = chainctl("push", str(pushed), "--target", "local", expect=2)
    assert "chainctl secret set t_key" in failed.stderr


def test_a_place_that_is_looked_at_first_is_named(chainctl: Chainctl) -> None:
    """Else the saved value would seem to be used."""
    shadowed = Chainctl({**chainctl.environ, "CHAINCTL_SECRET_T_KEY": "x"}, chainctl.directory)
    assert "CHAINCTL_SECRET_T_KEY has it, too" in shadowed("secret", "set", "t_key", stdin=VALUE).stderr
    chainctl("secret", "set", "t_key", expect=2)
    chainctl("secret", "set", "../t_key", stdin=VALUE, expect=2)


def _services(chainctl: Chainctl) -> dict[str, str]:
    (chain,) = json.loads(chainctl("ps", "t-secretive", "--json").stdout)["chains"]
    return {service["chainlet"]: service["name"] for service in chain["services"]}
