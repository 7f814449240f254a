"""What is found on a machine: real directories, ports, sockets and programs, made for the test."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.host import (
    existing_sockets,
    gpu_facts,
    path_facts,
    port_facts,
    secret_facts,
    socket_facts,
)
from chainctl.adapters.host_engine import Deadline, engine_facts, is_on_this_machine, started
from chainctl.adapters.host_facts import EngineSilence, GpuFacts, SocketFacts, Unreachable


def test_a_directory_and_its_room(tmp_path: Path) -> None:
    """Mode, kind, free space."""
    tmp_path.chmod(0o750)
    facts = path_facts(tmp_path)
    assert (facts.mode, facts.is_directory, facts.is_writable) == (0o750, True, True)
    assert facts.free_bytes > 0


def test_what_is_not_there_is_judged_by_its_parent(tmp_path: Path) -> None:
    """It could be made there; below a file it could not."""
    facts = path_facts(tmp_path / "a/b")
    assert (facts.mode, facts.is_directory, facts.is_writable) == (None, False, True)
    (tmp_path / "file").write_text("")
    assert not path_facts(tmp_path / "file/b").is_writable


def test_files_that_others_may_read(tmp_path: Path) -> None:
    """Each of them, sorted; the file of the settings beside."""
    for name, mode in (("b", 0o644), ("a", 0o640), ("closed", 0o600)):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(mode)
    facts = secret_facts(tmp_path, tmp_path / "b")
    assert facts.open_files == (tmp_path / "a", tmp_path / "b")
    assert facts.file is not None
    assert facts.file.mode == 0o644
    assert secret_facts(tmp_path / "none", None).open_files == ()


def test_a_port_on_which_somebody_listens_is_not_free() -> None:
    """And is free again when nobody does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert port_facts("127.0.0.1", port).free is None
    assert port_facts("127.0.0.1", port).free == port


def test_a_port_is_looked_for_from_8100_upward() -> None:
    """Where none is wanted."""
    free = port_facts("127.0.0.1", None).free
    assert free is not None
    assert 8100 <= free < 8200


@pytest.mark.parametrize("bind", ["192.0.2.1", "no such host.invalid", "fe80::%nothing"])
def test_an_address_of_nobody_is_an_error(bind: str) -> None:
    """In the system's words."""
    facts = port_facts(bind, None)
    assert facts.free is None
    assert facts.error


def program(directory: Path, script: str) -> str:
    """Put a program called nvidia-smi into a directory, which is then the search path."""
    path = directory / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(directory)


@pytest.mark.parametrize(
    ("script", "facts"),
    [
        ("echo Tesla T4; echo Tesla T4", GpuFacts(has_smi=True, names=("Tesla T4", "Tesla T4"))),
        ("echo no driver; exit 9", GpuFacts(has_smi=True, error="no driver")),
        ("exit 9", GpuFacts(has_smi=True, error="exit code 9")),
        ("true", GpuFacts(has_smi=True)),
    ],
)
def test_what_nvidia_smi_says(tmp_path: Path, script: str, facts: GpuFacts) -> None:
    """Names, or its first word about what is wrong."""
    assert gpu_facts(program(tmp_path, script), 10) == facts


def test_nvidia_smi_that_is_not_there_or_hangs(tmp_path: Path) -> None:
    """Neither is an error of ours; a broken program is none either."""
    assert gpu_facts(str(tmp_path), 10) == GpuFacts()
    assert (
        gpu_facts(program(tmp_path, "read line </dev/zero; read line"), 0.05).error == "no answer in 0.05 s"
    )
    (tmp_path / "nvidia-smi").write_bytes(b"\x7fELF")
    assert gpu_facts(str(tmp_path), 10).error


def test_sockets_can_be_made(tmp_path: Path) -> None:
    """In the runtime directory, or where it will be; nothing stays behind."""
    tmp_path.chmod(0o700)
    for runtime in (tmp_path, tmp_path / "later"):
        assert socket_facts(runtime, Path("/r/s")) == SocketFacts(runtime)
    assert list(tmp_path.iterdir()) == []


def test_why_no_socket_can_be_made(tmp_path: Path) -> None:
    """A long path, a directory that others can enter, a file, a place where nothing can be made."""
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("")
    assert (
        socket_facts(tmp_path, Path("/" + "x" * 107)).error == "its path is too long for a socket (108 bytes)"
    )
    assert socket_facts(tmp_path, Path("/s")).error == "it is open to other users"
    assert socket_facts(tmp_path / "file", Path("/s")).error == "it is not a directory"
    assert socket_facts(Path("/proc/x"), Path("/s")).error


def test_sockets_that_exist(tmp_path: Path) -> None:
    """Other files of the name do not count."""
    (tmp_path / "file.sock").write_text("")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "real.sock"))
        candidates = [tmp_path / name for name in ("none.sock", "file.sock", "real.sock")]
        assert existing_sockets(candidates) == (tmp_path / "real.sock",)


def test_a_deadline_is_shared() -> None:
    """What the first question takes, the second has no more; each gets a moment."""
    times = iter([0.0, 0.3, 5.0])
    deadline = Deadline(1.0, lambda: next(times))
    assert deadline.left_sec == pytest.approx(0.7)
    assert deadline.left_sec == pytest.approx(0.05)


def test_an_answer_an_error_and_no_answer() -> None:
    """Handed over, raised again, or given up; nobody waits for the thread."""
    assert Deadline(10).answer(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        Deadline(10).answer(lambda: 1 // 0)
    never = threading.Event()
    with pytest.raises(TimeoutError):
        Deadline(0.01).answer(never.wait)
    never.set()


def test_questions_are_asked_at_once() -> None:
    """Not when the answer is wanted."""
    asked = threading.Event()
    question = started(asked.set)
    assert asked.wait(10)
    assert question.result(10) is None


def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    """The engine is not running; other sockets that exist are told."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other.sock"))
        silence = engine_facts(
            EngineAddress(f"unix://{tmp_path}/none.sock"), (), Deadline(10), [tmp_path / "other.sock"]
        )
    assert isinstance(silence, EngineSilence)
    assert silence.reason is Unreachable.NOT_RUNNING
    assert silence.other_sockets == (tmp_path / "other.sock",)


def test_an_engine_that_hangs_is_given_up(tmp_path: Path) -> None:
    """In the time that was given, not in docker-py's minute."""
    address = EngineAddress(f"unix://{tmp_path}/hang.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/hang.sock")
        server.listen(5)
        begun = time.monotonic()
        silence = engine_facts(address, (), Deadline(0.2))
        assert time.monotonic() - begun < 5
    assert silence == EngineSilence(Unreachable.TOO_LATE, f"The engine {address.url} did not answer in 0.2 s")


def test_where_an_engine_is() -> None:
    """Behind a socket it is on this machine."""
    assert is_on_this_machine(EngineAddress("unix:///var/run/docker.sock"))
    assert not is_on_this_machine(EngineAddress("tcp://127.0.0.1:2375"))
    assert not is_on_this_machine(EngineAddress("ssh://host"))
