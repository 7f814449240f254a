"""Repositories in; a model hub on loopback that serves them, with a second server for large files, out."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass
class FakeRepo:
    """One repository: its files at one commit, those that are large, the token that it wants.

    Of `claims` its list says that they are the files; `claimed_size` is the size that it tells of all.
    """

    files: dict[str, bytes]
    large: frozenset[str] = frozenset()
    token: str = ""
    commit: str = COMMIT
    lists_blobs: bool = True
    claims: dict[str, bytes] = field(default_factory=dict)
    claimed_size: int | None = None

    def claimed(self, path: str) -> bytes:
        """What its list says that a file is."""
        return self.claims.get(path, self.files[path])


@dataclass
class FakeHub:
    """What is served, what was asked, and what goes wrong.

    `cuts` are numbers of bytes after which the next answers with a file's content break off; `statuses` are
    those of the next answers, whatever is asked. `held` is called in the middle of a file's content.
    """

    repos: dict[str, FakeRepo] = field(default_factory=dict)
    others: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    has_ranges: bool = True
    etag: str = '"first"'
    held: threading.Event | None = None
    endpoint: str = ""
    large_endpoint: str = ""

    @property
    def paths(self) -> list[str]:
        """What was asked for, without queries."""
        return [path.partition("?")[0] for path, _ in self.asked]

    def ranges(self, ending: str) -> list[str]:
        """The ranges of a file that were asked for, "" for all of it."""
        return [headers.get("range", "") for path, headers in self.asked if path.endswith(ending)]


@contextmanager
def fake_hub(
    repos: Mapping[str, FakeRepo] = {}, host: str = "127.0.0.1"
) -> Iterator[FakeHub]:  # it is only read
    """Serve repositories until the end of the block."""
    hub = FakeHub(dict(repos))
    servers = [_Server((host, 0), hub) for _ in range(2)]
    hub.endpoint, hub.large_endpoint = (f"http://{host}:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def blob_name(data: bytes, *, is_large: bool) -> str:
    """What a hub calls the content of a file."""
    if is_large:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], hub: FakeHub) -> None:
        self.hub = hub
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        hub = self.server.hub
        hub.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        path = unquote(urlsplit(self.path).path)
        if hub.statuses and (status := hub.statuses.pop(0)) != 200:
            self._answer(status, b"", {"Retry-After": "7"})
        elif path in hub.others:
            self._content(hub.others[path], {"ETag": hub.etag})
        elif found := re.fullmatch(r"/large/(.+)/([0-9a-f]{64})", path):
            repo = hub.repos[found[1]]
            path = next(p for p in repo.large if blob_name(repo.claimed(p), is_large=True) == found[2])
            self._content(repo.files[path], {})
        elif found := re.fullmatch(r"/api/models/(.+?)/revision/(.+)", path):
            self._repo(found[1], lambda repo: self._list(repo, found[2]))
        elif found := re.fullmatch(r"/(.+?)/resolve/([0-9a-f]{40})/(.+)", path):
            self._repo(found[1], lambda repo: self._resolve(found[1], repo, found[3]))
        else:
            self._answer(404, b"")

    def _repo(self, name: str, answer: Any) -> None:
        repo = self.server.hub.repos.get(name)
        if repo is None:
            self._answer(404, b"")
        elif repo.token and self.headers.get("Authorization") != f"Bearer {repo.token}":
            self._answer(403 if self.headers.get("Authorization") else 401, b"")
        else:
            answer(repo)

    def _list(self, repo: FakeRepo, revision: str) -> None:
        if revision not in ("main", "v1", repo.commit):
            self._answer(404, b"")
            return
        siblings = [_sibling(repo, path) for path in repo.files]
        self._answer(200, json.dumps({"sha": repo.commit, "siblings": siblings}).encode())

    def _resolve(self, name: str, repo: FakeRepo, path: str) -> None:
        data, is_large = repo.files[path], path in repo.large
        etag = f'"{blob_name(repo.claimed(path), is_large=is_large)}"'
        if is_large:
            place = f"{self.server.hub.large_endpoint}/large/{name}/{etag[1:-1]}?signed=yes"
            linked = {"X-Linked-Etag": etag, "X-Linked-Size": str(len(data))}
            self._answer(302, b"", {"Location": place, "X-Repo-Commit": repo.commit, **linked})
        else:
            self._content(data, {"ETag": etag, "X-Repo-Commit": repo.commit})

    def _content(self, data: bytes, headers: Mapping[str, str]) -> None:
        hub, start = self.server.hub, 0
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_same = self.headers.get("If-Range", headers.get("ETag")) == headers.get("ETag")
        if asked and hub.has_ranges and is_same:
            start = int(asked[1])
            if start >= len(data):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self._send(data[start:])

    def _send(self, data: bytes) -> None:
        hub = self.server.hub
        if hub.held is not None:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            hub.held.wait(20)
            data = b""
        if hub.cuts:
            data = data[: hub.cuts.pop(0)]
            self.close_connection = True
        self.wfile.write(data)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _sibling(repo: FakeRepo, path: str) -> dict[str, Any]:
    if not repo.lists_blobs:
        return {"rfilename": path}
    data = repo.claimed(path)
    size = len(data) if repo.claimed_size is None else repo.claimed_size
    large = {"sha256": blob_name(data, is_large=True), "size": size}
    lfs = {"lfs": large} if path in repo.large else {}
    return {"rfilename": path, "size": size, "blobId": blob_name(data, is_large=False), **lfs}
