"""Names and versions in; tiny wheels, and a package index on loopback that serves them, out."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "reader", "sesame-open"  # made up


@dataclass
class Index:
    """An index at `url`; `private_url` is the same behind a password, `broken_url` always fails."""

    directory: Path
    yanked: dict[str, str] = field(default_factory=dict)
    port: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/open/simple"

    @property
    def private_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/private/simple"

    @property
    def broken_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/broken/simple"

    @property
    def netrc(self) -> str:
        return f"machine 127.0.0.1 login {USER} password {PASSWORD}\n"

    def add(self, name: str, version: str, *needs: str, python: str = "", tag: str = "py3-none-any") -> Path:
        """Put a wheel into the index; `yanked` maps file names to reasons."""
        bare = name.replace("-", "_")
        path = self.directory / f"{bare}-{version}-{tag}.whl"
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        lines = [f"Requires-Dist: {need}\n" for need in needs]
        lines += [f"Requires-Python: {python}\n"] if python else []
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in (
                (f"{bare}/__init__.py", ""),
                (f"{bare}-{version}.dist-info/METADATA", head + "".join(lines)),
                (f"{bare}-{version}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n"),
                (f"{bare}-{version}.dist-info/RECORD", ""),
            ):
                archive.writestr(zipfile.ZipInfo(file), text)
        return path

    def add_runtime(self) -> None:
        """Add what the runtime needs in every image."""
        for name in ("httptools", "msgpack", "prometheus-client", "uvicorn", "uvloop"):
            self.add(name, "9.0")
        self.add("pydantic", "2.9")
        self.add("pydantic", "2.10", "pydantic-core>=2")
        self.add("pydantic", "1.10.2")
        self.add("pydantic-core", "2.20")

    def digest(self, file: str) -> str:
        return f"sha256:{hashlib.sha256((self.directory / file).read_bytes()).hexdigest()}"

    def page(self, kind: str, name: str) -> bytes | None:
        files = sorted(self.directory.glob(f"{name.replace('-', '_')}-*.whl"))
        return "".join(self._links(kind, files)).encode() if files else None

    def _links(self, kind: str, files: Iterable[Path]) -> Iterator[str]:
        for file in files:
            sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            yanked = f' data-yanked="{self.yanked[file.name]}"' if file.name in self.yanked else ""
            yield f'<a href="/{kind}/files/{file.name}#sha256={sha256}"{yanked}>{file.name}</a>\n'


@contextmanager
def serving(directory: Path) -> Iterator[Index]:
    """Serve an empty index from a directory."""
    index = Index(directory)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self._answer(*self._found(), with_body=False)

        def do_GET(self) -> None:
            self._answer(*self._found(), with_body=True)

        def _found(self) -> tuple[int, str, bytes]:
            index.asked.append(self.path)
            kind, what, *rest = self.path.strip("/").split("/")
            expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if kind == "broken":
                return 503, "text/plain", b""
            if kind == "private" and self.headers.get("authorization") != expected:
                return 401, "text/plain", b""
            if what == "files":
                return 200, "application/zip", (index.directory / rest[0]).read_bytes()
            page = index.page(kind, rest[0])
            return (404, "text/plain", b"") if page is None else (200, "text/html", page)

        def _answer(self, status: int, kind: str, body: bytes, *, with_body: bool) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            if status == 401:
                self.send_header("www-authenticate", "Basic")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        index.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
