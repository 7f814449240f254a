"""An engine with sessions in: it takes or refuses one, asks it for secrets, then answers the build, out."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, TLSFiles
from chainctl.adapters.docker.session_services import GET_SECRET
from chainctl.adapters.docker.session_wire import bytes_field
from tests.unit.adapters.docker.asking_engine import AskingEngine, Told

BUILT = b'{"aux": {"ID": "sha256:1"}}\n'
FAILED = b'{"errorDetail": {"message": "no active session for 1: context deadline exceeded"}}\n'


@dataclass
class SessionEngine:
    """`session` is the status that POST /session ends with; `is_cut`: it hangs up as soon as it has taken one."""

    session: int = 101
    is_cut: bool = False
    asks: tuple[str, ...] = ()
    build: bytes = BUILT
    is_lost: bool = False
    told: dict[str, Told] = field(default_factory=dict)
    offered: dict[str, list[str]] = field(default_factory=dict)
    queries: list[dict[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    has_asked: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        path = url.path.removeprefix("/v1.41")
        self.asked.append(path)
        if path == "/session":
            return self._session(request)
        if path == "/build":
            self.queries.append({key: value[0] for key, value in parse_qs(url.query).items()})
            return self._build(request)
        return _send(request, 200, b'{"Id": "sha256:0"}')

    def _session(self, request: BaseHTTPRequestHandler) -> None:
        for name, value in request.headers.items():
            self.offered.setdefault(name.lower(), []).append(value)
        request.close_connection = True
        if self.session != 101:
            return _send(request, self.session, b"{}")
        request.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        if not self.is_cut:
            self._ask(request)
        self.has_asked.set()
        while not self.is_cut and request.connection.recv(1 << 16):
            pass
        return None

    def _ask(self, request: BaseHTTPRequestHandler) -> None:
        engine = AskingEngine()
        streams = {name: engine.ask(GET_SECRET, bytes_field(1, name.encode())) for name in self.asks}
        request.connection.sendall(engine.http.data_to_send())
        while not all(engine.told[stream].is_ended for stream in streams.values()):
            engine.hear(request.connection.recv(1 << 16))
            request.connection.sendall(engine.http.data_to_send())
        self.told = {name: engine.told[stream] for name, stream in streams.items()}

    def _build(self, request: BaseHTTPRequestHandler) -> None:
        while (size := int(request.rfile.readline(), 16)) > 0:
            request.rfile.read(size + 2)
        request.rfile.readline()
        if "session" in self.queries[-1]:
            assert self.has_asked.wait(20)
        if self.is_lost:
            request.connection.close()
            request.close_connection = True
            return
        _send(request, 200, self.build)

    @contextmanager
    def listening(self, certificate: Path | None = None) -> Iterator[Engine]:
        """Serve, with TLS where there is a certificate (and its key), and give a connection to it."""
        answer = self.answer

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(self)

            def do_POST(self) -> None:
                answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Request) as server:
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                server.socket = context.wrap_socket(server.socket, server_side=True)
            tls = TLSFiles(certificate, None, None, is_verified=True) if certificate else None
            url = f"tcp://127.0.0.1:{server.server_address[1]}"
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
            try:
                yield Engine.connect(EngineAddress(url, tls=tls))
            finally:
                server.shutdown()


def certificate_in(directory: Path) -> Path:
    """Make a certificate for loopback that is its own authority, with its key in the same file."""
    made = directory / "own.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=own"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made), "-out", str(directory / "crt")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    made.write_text(made.read_text() + (directory / "crt").read_text())
    return made


def logged(line: str) -> bytes:
    """Return a stream in which a build writes one line."""
    return json.dumps({"stream": f"{line}\n"}).encode() + b"\n"


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    request.send_response(status)
    request.send_header("Api-Version", "1.41")
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
