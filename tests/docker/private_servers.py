"""Files in; loopback servers that give them to those who know the password out: an index, a registry, a proxy."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = tuple[int, str, bytes]
Files = Callable[[str], Answer | None]

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@contextmanager
def serving(
    files: Files, login: str, *, header: str = "Authorization", certificate: Path | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Serve on loopback; give the port, and the paths that were asked for with the right `USER:PASSWORD`."""
    wanted = "Basic " + base64.b64encode(login.encode()).decode()
    asked = list[str]()

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get(header) != wanted:
                return self._send(407 if "Proxy" in header else 401, "text/plain", b"who are you")
            asked.append(self.path)
            return self._send(*(files(self.path) or (404, "text/plain", b"no")))

        do_HEAD = do_GET

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
            if status in (401, 407):
                self.send_header(name, 'Basic realm="private"')
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if kind == _MANIFEST:
                self.send_header("Docker-Content-Digest", digest_of(body))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Request) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()


def index_of(name: str, content: str) -> Files:
    """A package index with one wheel: a module that holds a line of text."""
    wheel = f"{name}-1.0-py3-none-any.whl"
    data = _wheel(name, content)

    def files(path: str) -> Answer | None:
        if path == f"/simple/{name}/":
            page = f'<a href="/files/{wheel}#sha256={hashlib.sha256(data).hexdigest()}">{wheel}</a>'
            return 200, "text/html", page.encode()
        return (200, "application/octet-stream", data) if path == f"/files/{wheel}" else None

    return files


def registry_of(repository: str, text: str) -> Files:
    """A registry with one image, `REPOSITORY:1`: the file /made holds the text."""
    layer = _layer("made", text)
    config = json.dumps(
        {
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
            "history": [{"created_by": "test"}],
        }
    ).encode()  # fmt: skip
    packed = gzip.compress(layer)
    manifest = json.dumps(
        {
            "schemaVersion": 2, "mediaType": _MANIFEST,
            "config": _described("application/vnd.docker.container.image.v1+json", config),
            "layers": [_described("application/vnd.docker.image.rootfs.diff.tar.gzip", packed)],
        }
    ).encode()  # fmt: skip
    blobs = {digest_of(blob): blob for blob in (config, packed)}

    def files(path: str) -> Answer | None:
        kind, _, name = path.removeprefix(f"/v2/{repository}/").partition("/")
        if path == "/v2/":
            return 200, "application/json", b"{}"
        if kind == "manifests" and name in ("1", digest_of(manifest)):
            return 200, _MANIFEST, manifest
        return (200, "application/octet-stream", blobs[name]) if name in blobs else None

    return files


def anything(_: str) -> Answer:
    """What a proxy gives, whatever is asked."""
    return 200, "text/plain", b"by proxy"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _described(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(data), "digest": digest_of(data)}


def _layer(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def _wheel(name: str, content: str) -> bytes:
    out, about = io.BytesIO(), f"{name}-1.0.dist-info"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{name}.py", f"TEXT = {content!r}\n")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{about}/RECORD", f"{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n"
        )
    return out.getvalue()
