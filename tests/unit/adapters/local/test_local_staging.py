"""What is special about the processes of one run."""

from __future__ import annotations

from pathlib import Path

from chainctl.adapters.local.debugger import USUAL_PORT, debugger_ports, launcher
from chainctl.adapters.local.staging import Staging

ENVIRON = {"PYTHONPATH": "/app/code:/app/packages:/app", "A": "1"}


def test_as_deployed_nothing_is_special() -> None:
    """The interpreter runs the program, the environment is the given one."""
    assert Staging().argv("A", "python", "shim.py") == ("python", "shim.py")
    assert Staging().environ_of("A", ENVIRON) == ENVIRON


def test_what_is_special_is_so_for_one_chainlet() -> None:
    """Its interpreter, what launches it, its variables and where its code is; one set is for all."""
    staging = Staging(
        pythons={"A": "/venv/bin/python"},
        launchers={"A": ("debugpy", "--listen", "1")},
        environ={"A": {"B": "2"}},
        everywhere={"C": "3"},
        code={"A": ("/home/me", "/home/me/tests")},
    )
    assert staging.argv("A", "python", "shim.py") == (
        "/venv/bin/python",
        "debugpy",
        "--listen",
        "1",
        "shim.py",
    )
    assert staging.argv("Z", "python", "shim.py") == ("python", "shim.py")
    assert staging.environ_of("A", ENVIRON) == {
        "PYTHONPATH": "/home/me:/home/me/tests:/app/packages:/app", "A": "1", "B": "2", "C": "3",
    }  # fmt: skip
    assert staging.environ_of("Z", ENVIRON) == {**ENVIRON, "C": "3"}


def test_the_debugger_listens_on_loopback_and_waits_when_it_is_to() -> None:
    """Nobody else can connect."""
    command = ("/debugpy", "--listen", "127.0.0.1:5678")
    assert launcher(Path("/debugpy"), 5678, waits=True)[:4] == (*command, "--wait-for-client")
    assert "--wait-for-client" not in launcher(Path("/debugpy"), 5678, waits=False)


def test_ports_are_free_and_different() -> None:
    """The usual one is among them at most once."""
    ports = debugger_ports(3)
    assert len(set(ports)) == 3
    assert ports.count(USUAL_PORT) <= 1
    assert debugger_ports(0) == []
