"""Downloads from a server on loopback that breaks off, knows no ranges, changes its mind or refuses."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chainctl.adapters.downloads import ATTEMPTS, CHUNK, DownloadCache, DownloadError, shown

DATA = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(DATA).hexdigest()


@dataclass
class Source:
    """One file. It breaks off after `breaks[0]` bytes of each answer, as long as there are such."""

    data: bytes = DATA
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    has_ranges: bool = True
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.asked.append(wanted)
        if self.statuses:
            request.send_error(self.statuses.pop(0))
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.has_ranges else 0
        if start >= len(self.data) > 0 and wanted:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(self.data)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body = self.data[start:]
        request.send_response(206 if wanted and self.has_ranges else 200)
        if wanted and self.has_ranges:
            request.send_header("Content-Range", f"bytes {start}-{len(self.data) - 1}/{len(self.data)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)
        request.close_connection = True


@pytest.fixture
def source() -> Iterator[Source]:
    """A server on loopback."""
    served = Source()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}/weights.bin"
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def cache_in(directory: Path) -> tuple[DownloadCache, list[float]]:
    """A cache, and how long it paused."""
    pauses: list[float] = []
    return DownloadCache(directory / "cache", pause=pauses.append, timeout_sec=5), pauses


def left_in(directory: Path) -> set[str]:
    return {path.suffix or "whole" for path in (directory / "cache").iterdir()} - {".lock"}


def test_a_file_is_fetched_once(source: Source, tmp_path: Path) -> None:
    """Then the server is not asked; it is read-only."""
    cache, _ = cache_in(tmp_path)
    heard: list[tuple[int, int]] = []
    path = cache.fetch(source.url, DIGEST, lambda got, size: heard.append((got, size)))
    assert path.read_bytes() == DATA
    assert heard[-1] == (len(DATA), len(DATA))
    assert cache.fetch(source.url, DIGEST) == path
    assert source.asked == [""]
    assert path.stat().st_mode & 0o222 == 0


def test_a_download_that_breaks_off_goes_on_where_it_was(source: Source, tmp_path: Path) -> None:
    """Each piece is asked for once."""
    cache, pauses = cache_in(tmp_path)
    source.breaks = [2 * CHUNK + 1, 3 * CHUNK]
    assert cache.fetch(source.url, DIGEST).read_bytes() == DATA
    assert source.asked == ["", f"bytes={2 * CHUNK}-", f"bytes={5 * CHUNK}-"]
    assert pauses == [0.5, 0.5]


def test_the_next_command_goes_on_where_the_last_one_ended(source: Source, tmp_path: Path) -> None:
    """What has arrived outlives the command."""
    cache, _ = cache_in(tmp_path)
    source.breaks = [CHUNK]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{DIGEST}.part").write_bytes(DATA[:300_000])
    assert cache.fetch(source.url, DIGEST).read_bytes() == DATA
    assert source.asked == ["bytes=300000-", f"bytes={300_000 + CHUNK}-"]


def test_a_server_without_ranges_sends_all_again(source: Source, tmp_path: Path) -> None:
    cache, _ = cache_in(tmp_path)
    source.has_ranges = False
    source.breaks = [100_000]
    assert cache.fetch(source.url, DIGEST).read_bytes() == DATA


def test_a_part_that_is_whole_needs_no_bytes(source: Source, tmp_path: Path) -> None:
    """The command was killed between the last byte and the check."""
    cache, _ = cache_in(tmp_path)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{DIGEST}.part").write_bytes(DATA)
    assert cache.fetch(source.url, DIGEST).read_bytes() == DATA


def test_a_part_that_is_longer_than_the_file_is_dropped(source: Source, tmp_path: Path) -> None:
    cache, _ = cache_in(tmp_path)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{DIGEST}.part").write_bytes(DATA + b"x")
    assert cache.fetch(source.url, DIGEST).read_bytes() == DATA


def test_another_file_than_was_meant_is_refused_and_not_kept(source: Source, tmp_path: Path) -> None:
    """Both digests are named."""
    cache, _ = cache_in(tmp_path)
    source.data = DATA + b"!"
    with pytest.raises(DownloadError) as caught:
        cache.fetch(source.url, DIGEST)
    assert caught.value.details == (
        f"wanted {DIGEST}", f"found  {hashlib.sha256(source.data).hexdigest()}"
    )  # fmt: skip
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize(("status", "times"), [(404, 1), (401, 1), (503, ATTEMPTS), (429, ATTEMPTS)])
def test_a_refusal_is_repeated_only_where_it_may_pass(
    status: int, times: int, source: Source, tmp_path: Path
) -> None:
    """The server's own fault may pass; a wrong address does not. No query of a URL is told."""
    cache, pauses = cache_in(tmp_path)
    source.statuses = [status] * 10
    with pytest.raises(DownloadError, match=f"the server answers {status}") as caught:
        cache.fetch(f"{source.url}?token=hunter2", DIGEST)
    assert len(source.asked) == times
    assert pauses == [0.5, 1.0, 2.0, 4.0][: times - 1]
    assert "hunter2" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    cache, pauses = cache_in(tmp_path)
    with pytest.raises(DownloadError, match="can not be reached"):
        cache.fetch("http://127.0.0.1:1/x", DIGEST)
    assert pauses == []


def test_a_local_file_is_copied_and_checked(tmp_path: Path) -> None:
    """An unfinished copy of before is no beginning: the file may have changed since."""
    cache, _ = cache_in(tmp_path)
    (tmp_path / "weights").write_bytes(DATA)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{DIGEST}.part").write_bytes(b"other")
    assert cache.fetch(str(tmp_path / "weights"), DIGEST).read_bytes() == DATA
    with pytest.raises(DownloadError, match="can not be read"):
        cache.fetch(str(tmp_path / "none"), "0" * 64)


@pytest.mark.parametrize("digest", ["", "x" * 64, DIGEST.upper(), DIGEST[:-1]])
def test_a_digest_that_is_none_is_refused_before_anything_is_asked(
    digest: str, source: Source, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="is no SHA-256"):
        cache_in(tmp_path)[0].fetch(source.url, digest)
    assert source.asked == []


def test_two_at_once_fetch_it_once(source: Source, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: cache_in(tmp_path)[0].fetch(source.url, DIGEST), range(4)))
    assert len(set(paths)) == 1
    assert source.asked == [""]


def test_a_full_disk_is_said_and_what_arrived_is_kept(source: Source, tmp_path: Path) -> None:
    """The limit on the size of files stands for a full disk."""
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from chainctl.adapters.downloads import DownloadCache, DownloadError\n"
        "try:\n    DownloadCache(Path(sys.argv[1])).fetch(sys.argv[2], sys.argv[3])\n"
        "except DownloadError as error:\n    print(error.message)\n"
    )

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    arguments = [sys.executable, "-c", script, str(tmp_path / "cache"), source.url, DIGEST]
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=True, preexec_fn=limited, env=dict(os.environ)
    )
    assert "can not be kept in" in done.stdout
    assert (tmp_path / "cache" / f"{DIGEST}.part").stat().st_size == 100_000
    assert cache_in(tmp_path)[0].fetch(source.url, DIGEST).read_bytes() == DATA


def test_a_url_is_shown_without_what_is_secret() -> None:
    assert shown("https://me:pass@host:1/p/q?token=x#y") == "https://host:1/p/q"
    assert shown("/models/a?b") == "/models/a?b"
