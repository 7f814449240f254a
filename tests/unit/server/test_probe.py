"""What the probe asks of the service beside it, and what it shows it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from chainctl.server import probe


def test_probe_shows_the_token_below_its_paths_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It reads the token itself, and prints it nowhere."""
    (tmp_path / ".chainctl-token").write_text("t0ken\n")
    heads: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_twice, args=(listener, heads))
        thread.start()
        monkeypatch.setenv("CHAINCTL_LISTEN", f"tcp:0.0.0.0:{listener.getsockname()[1]}")
        monkeypatch.setenv("CHAINCTL_SECRETS_DIR", str(tmp_path))
        assert [probe.main([path]) for path in ("/-/spans?limit=1", "/readyz")] == [0, 0]
        thread.join()
    assert ["x-chainctl-token: t0ken" in head for head in heads] == [True, False]
    assert heads[0].startswith("GET /-/spans?limit=1 HTTP/1.1\r\n")
    monkeypatch.setenv("CHAINCTL_SECRETS_DIR", str(tmp_path / "none"))
    assert probe.main(["/-/spans"]) == 1
    assert "t0ken" not in capsys.readouterr().out


def _answer_twice(listener: socket.socket, heads: list[str]) -> None:
    for _ in range(2):
        connection, _ = listener.accept()
        with connection:
            heads.append(connection.recv(65536).decode())
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}")


def test_a_start_is_followed_until_it_was_ready_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the first path; from then on the other one counts, also where the first fails again."""
    asked: list[str] = []
    answers = {"/readyz": [1, 1, 0, 1], "/healthz": [0, 1]}

    def look(_listen: str, path: str) -> int:
        asked.append(path)
        return answers[path].pop(0)

    monkeypatch.setattr(probe, "look", look)
    monkeypatch.setattr(probe, "_rest", lambda _seconds: None)
    mark = str(tmp_path / "ready")
    assert [probe.follow("", "/readyz", "/healthz", mark) for _ in range(3)] == [0, 0, 1]
    assert asked == ["/readyz"] * 3 + ["/healthz"] * 2


def test_a_start_that_is_never_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine asks again; nothing says that it was ready."""
    monkeypatch.setattr(probe, "look", lambda _listen, _path: 1)
    monkeypatch.setattr(probe, "_WAIT_SEC", 0.0)
    mark = tmp_path / "ready"
    assert probe.follow("", "/readyz", "/healthz", str(mark)) == 1
    assert not mark.exists()
