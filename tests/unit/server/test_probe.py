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
