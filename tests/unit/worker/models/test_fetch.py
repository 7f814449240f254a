"""Files of a fake hub, and of other servers, fetched once into a cache: whole, continued, checked, explained."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.worker.boot import ChainletManifest
from chainctl.worker.models.asked_files import CachePlaces, asked_files, data_links, is_safe
from chainctl.worker.models.cannot_start import CannotStartError
from chainctl.worker.models.fetch import fetch_all, with_files
from chainctl.worker.models.progress import Progress
from chainctl.worker.models.web import Web, shown
from tests.fakes.hub import COMMIT, FakeHub, FakeRepo, blob_name, fake_hub

REPO = "org/tiny"
WEIGHTS = bytes(range(256)) * 40_000
FILES = {"config.json": b'{"a": 1}', "sub/model.safetensors": WEIGHTS, "model.bin": b"old weights"}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub({REPO: FakeRepo(dict(FILES), frozenset(["sub/model.safetensors"]))}) as hub:
        yield hub


class Place:
    """A cache, secrets and data of one service; its pauses are noted and not made."""

    def __init__(self, root: Path, hub: FakeHub) -> None:
        self.hub = hub
        self.places = CachePlaces(root / "cache", root / "model_cache")
        self.secrets = root / "secrets"
        self.secrets.mkdir()
        self.pauses: list[float] = []

    def fetch(self, config: Mapping[str, Any], data_dir: Path | None = None) -> Path | None:
        web = Web(timeout_sec=20, pause=self.pauses.append)
        places, endpoint = self.places, self.hub.endpoint
        return fetch_all(config, self.token_of, places, data_dir, endpoint=endpoint, web=web)

    def token_of(self, name: str) -> str:
        path = self.secrets / name
        return path.read_text().strip() if path.is_file() else ""

    @property
    def repo(self) -> Path:
        return self.places.hub / "models--org--tiny"


@pytest.fixture
def place(tmp_path: Path, hub: FakeHub) -> Place:
    return Place(tmp_path, hub)


def cached(**more: Any) -> dict[str, Any]:
    """A configuration with one repository."""
    return {"model_cache": [{"repo_id": REPO, "revision": COMMIT, "kind": "hf", **more}]}


def external(url: str, path: str = "in/words.txt") -> dict[str, Any]:
    """A configuration with one external file."""
    return {"external_data": [{"url": url, "local_data_path": path, "backend": "http_public", "name": None}]}


def contents(directory: Path) -> dict[str, bytes]:
    """All files below a directory, by path, through links."""
    return {
        str((Path(top) / name).relative_to(directory)): (Path(top) / name).read_bytes()
        for top, _, names in os.walk(directory, followlinks=True)
        for name in names
    }


# --- repositories ---


def test_a_repository_lies_as_the_clients_of_the_hub_expect_it(place: Place) -> None:
    """Blobs by their etag, links to them at their paths, and a ref, so that a name alone finds it."""
    place.fetch(cached(use_volume=False))
    assert contents(place.repo / "snapshots" / COMMIT) == FILES
    assert (place.repo / "refs" / "main").read_text() == COMMIT
    names = {blob_name(d, is_large=path.startswith("sub")) for path, d in FILES.items()}
    assert {blob.name for blob in (place.repo / "blobs").iterdir()} == names
    link = place.repo / "snapshots" / COMMIT / "sub" / "model.safetensors"
    assert link.readlink() == Path("../../../blobs") / blob_name(WEIGHTS, is_large=True)


def test_a_volume_folder_has_what_the_patterns_choose_and_nothing_else(place: Place) -> None:
    """Also where the rest of the repository is in the cache for another service."""
    place.fetch(cached())
    place.fetch(cached(use_volume=True, volume_folder="tiny", ignore_patterns=["*.bin"]))
    assert contents(place.places.folders / "tiny") == {k: v for k, v in FILES.items() if k != "model.bin"}
    place.fetch(cached(use_volume=True, volume_folder="tiny", allow_patterns=["sub/", "*.bin"]))
    assert contents(place.places.folders / "tiny") == {k: v for k, v in FILES.items() if k != "config.json"}


def test_only_what_the_patterns_choose_is_fetched(place: Place) -> None:
    """One that chooses nothing is a mistake."""
    place.fetch(cached(allow_patterns=["*.json"]))
    assert [path for path in place.hub.paths if "/resolve/" in path] == [
        f"/{REPO}/resolve/{COMMIT}/config.json"
    ]
    with pytest.raises(CannotStartError, match="no file that the patterns"):
        place.fetch(cached(allow_patterns=["*.gguf"]))


def test_a_pinned_revision_that_is_there_asks_nobody(place: Place) -> None:
    """Nor does it after the hub has gone."""
    place.fetch(cached())
    place.hub.asked.clear()
    place.fetch(cached())
    assert place.hub.asked == []


def test_a_file_that_went_missing_is_fetched_again(place: Place) -> None:
    """It alone."""
    place.fetch(cached())
    (place.repo / "snapshots" / COMMIT / "config.json").unlink()
    (place.repo / "blobs" / blob_name(FILES["config.json"], is_large=False)).unlink()
    place.hub.asked.clear()
    place.fetch(cached())
    assert [path for path in place.hub.paths if "/resolve/" in path] == [
        f"/{REPO}/resolve/{COMMIT}/config.json"
    ]


def test_a_branch_moves_on_and_only_what_changed_is_fetched(place: Place) -> None:
    """What is equal in both commits is known by its blob."""
    place.fetch(cached(revision="main", use_volume=True, volume_folder="tiny"))
    newer = "beef" + "0" * 36
    place.hub.repos[REPO].commit = newer
    place.hub.repos[REPO].files["config.json"] = b'{"a": 2}'
    place.hub.asked.clear()
    place.fetch(cached(revision="main", use_volume=True, volume_folder="tiny"))
    assert [path for path in place.hub.paths if "/resolve/" in path] == [
        f"/{REPO}/resolve/{newer}/config.json"
    ]
    assert contents(place.places.folders / "tiny") == {**FILES, "config.json": b'{"a": 2}'}
    assert (place.repo / "refs" / "main").read_text() == newer


def test_a_branch_that_is_there_needs_no_hub(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A restart at night must not fail because the hub is away; it is said."""
    config = cached(revision="v1", use_volume=True, volume_folder="tiny")
    place.fetch(config)
    place.hub.statuses[:] = [503] * 10
    with caplog.at_level(logging.WARNING, "chainctl.models"):
        place.fetch(config)
    assert contents(place.places.folders / "tiny") == FILES
    assert f"{REPO} stays at commit {COMMIT}" in caplog.text
    assert place.pauses == [7.0, 7.0, 7.0, 7.0]


def test_a_hub_that_lists_no_sizes_will_do(place: Place) -> None:
    """What its answers say of each file is checked then."""
    place.hub.repos[REPO].lists_blobs = False
    place.fetch(cached())
    assert contents(place.repo / "snapshots" / COMMIT) == FILES
    assert (place.repo / "blobs" / blob_name(WEIGHTS, is_large=True)).is_file()


def test_a_download_that_breaks_off_is_continued(place: Place) -> None:
    """From where it broke off, as often as bytes arrive."""
    place.hub.cuts[:] = [100_000] * 8
    place.fetch(cached(allow_patterns=["sub/*"]))
    assert contents(place.repo / "snapshots" / COMMIT) == {"sub/model.safetensors": WEIGHTS}
    assert place.hub.ranges("?signed=yes") == ["", *(f"bytes={n}00000-" for n in range(1, 9))]
    assert max(place.pauses) == 0.5


def test_a_download_that_does_not_go_on_is_given_up(place: Place) -> None:
    """After as many attempts as are made, with longer pauses; what has arrived stays for the next start."""
    place.hub.cuts[:] = [100_000, 0, 0, 0, 0, 0]
    with pytest.raises(
        CannotStartError, match="cannot be fetched: the connection ended after 100000 of"
    ) as caught:
        place.fetch(cached(allow_patterns=["sub/*"]))
    assert "push again: what has arrived is kept" in str(caught.value)
    assert place.pauses == [0.5, 1.0, 2.0, 4.0]
    place.hub.cuts.clear()
    place.hub.asked.clear()
    place.fetch(cached(allow_patterns=["sub/*"]))
    assert place.hub.ranges("?signed=yes") == ["bytes=100000-"]


@pytest.mark.parametrize("path", ["config.json", "sub/model.safetensors"])
def test_another_file_than_the_hub_says_is_not_kept(place: Place, path: str) -> None:
    """By its SHA-256 where it is large, by its git blob where it is not."""
    place.hub.repos[REPO].files[path] = FILES[path][:-1] + b"?"
    place.hub.repos[REPO].claims[path] = FILES[path]
    with pytest.raises(CannotStartError, match="not the file that was meant"):
        place.fetch(cached(allow_patterns=[path]))
    assert list((place.repo / "blobs").iterdir()) == []


def test_the_token_goes_to_the_hub_and_nowhere_else(place: Place) -> None:
    """Not to where the hub sends for large files, not into what is logged or raised."""
    place.hub.repos[REPO].token = "hf_secret"
    (place.secrets / "hf_access_token").write_text("hf_secret\n")
    place.fetch(cached())
    told = {headers.get("authorization") for path, headers in place.hub.asked if path.startswith("/large/")}
    assert told == {None}
    assert contents(place.repo / "snapshots" / COMMIT) == FILES
    assert not [path for path, data in contents(place.places.root).items() if b"hf_secret" in data]


@pytest.mark.parametrize(
    ("token", "config", "says"),
    [
        ("", {}, "name hf_access_token under `secrets` in config.yaml, and give it a token: "
                 "`chainctl secret set hf_access_token`"),
        ("wrong", {}, "give the secret hf_access_token a token that may read it"),
        ("", {"repo_id": "org/none"}, "check repo_id and revision in config.yaml"),
        ("", {"runtime_secret_name": "other"}, "`chainctl secret set other`"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(place: Place, token: str, config: dict[str, str], says: str) -> None:
    """At once: asking again would not help. The token is never told."""
    place.hub.repos[REPO].token = "hf_secret"
    (place.secrets / "hf_access_token").write_text(token)
    with pytest.raises(CannotStartError) as caught:
        place.fetch(cached(**config))
    assert says in caught.value.hint
    assert place.pauses == []
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("path", ["../../outside", "/etc/passwd", "a/../../b", "a//b", ".", "a/\0"])
def test_a_repository_with_paths_outside_of_it_is_refused(place: Place, tmp_path: Path, path: str) -> None:
    """Nothing of it is fetched."""
    place.hub.repos[REPO].files[path] = b"evil"
    with pytest.raises(CannotStartError, match="would be outside of its directory"):
        place.fetch(cached())
    assert not [p for p in place.hub.paths if "/resolve/" in p]


def test_a_disk_without_room_is_seen_before_anything_is_fetched(place: Place) -> None:
    """The message has both numbers."""
    place.hub.repos[REPO].claimed_size = 10**18
    with pytest.raises(CannotStartError, match=r"org/tiny does not fit: 3000000\.0 TB are missing"):
        place.fetch(cached())
    assert not [path for path in place.hub.paths if "/resolve/" in path]


def test_replicas_that_start_together_fetch_once(place: Place) -> None:
    """The first holds the lock, the others find the files."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: place.fetch(cached()), range(4)))
    assert len([path for path in place.hub.paths if "/resolve/" in path]) == len(FILES)


def test_a_fetch_that_is_killed_is_continued_by_the_next(place: Place, tmp_path: Path) -> None:
    """SIGKILL in the middle of a file, while it holds the lock."""
    place.hub.held = threading.Event()
    program = (
        "import sys; from pathlib import Path\n"
        "from chainctl.worker.models.asked_files import CachePlaces\n"
        "from chainctl.worker.models.fetch import fetch_all\n"
        f"config = {cached(allow_patterns=['sub/*'])!r}\n"
        "root = Path(sys.argv[1])\n"
        "places = CachePlaces(root / 'cache', root / 'model_cache')\n"
        "fetch_all(config, lambda _: '', places, None, endpoint=sys.argv[2])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path), place.hub.endpoint])
    try:
        half = len(WEIGHTS) // 2
        part = _awaited(place.repo / "blobs", half - (1 << 16))
        process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        process.kill()
        place.hub.held.set()
        place.hub.held = None
    got = part.stat().st_size
    assert 0 < got <= half
    place.hub.asked.clear()
    place.fetch(cached(allow_patterns=["sub/*"]))
    assert place.hub.ranges("?signed=yes") == [f"bytes={got}-"]
    assert contents(place.repo / "snapshots" / COMMIT) == {"sub/model.safetensors": WEIGHTS}


def _awaited(directory: Path, size: int) -> Path:
    """Wait until a part in a directory has so many bytes."""
    turn = threading.Event()
    for _ in range(2000):
        found = [part for part in directory.glob("*.part") if part.stat().st_size >= size]
        if found:
            return found[0]
        turn.wait(0.01)
    raise AssertionError("nothing arrived")


# --- external files ---


def test_an_external_file_is_in_the_data_directory(place: Place, tmp_path: Path) -> None:
    """Beside what is there already, also in a directory that is there; fetched once."""
    place.hub.others["/words"] = b"one two"
    data = tmp_path / "data"
    (data / "in" / "deep").mkdir(parents=True)
    (data / "in" / "own.txt").write_text("own")
    (data / "top.txt").write_text("top")
    config = external(f"{place.hub.endpoint}/words?key=secret")
    for _ in range(2):
        given = place.fetch(config, data)
        assert given is not None
        assert contents(given) == {"in/words.txt": b"one two", "in/own.txt": b"own", "top.txt": b"top"}
    assert place.hub.paths == ["/words"]
    (data / "top.txt").unlink()
    (data / "new.txt").write_text("new")
    given = place.fetch(config, data)
    assert given is not None
    assert set(contents(given)) == {"in/words.txt", "in/own.txt", "new.txt"}
    assert sorted(p.name for p in (data / "in").iterdir()) == ["deep", "own.txt"]


def test_without_a_data_directory_there_is_one_of_external_files(place: Place) -> None:
    """A model that has no data of its own is given one all the same."""
    place.hub.others["/words"] = b"one two"
    given = place.fetch(external(f"{place.hub.endpoint}/words"))
    assert given is not None
    assert contents(given) == {"in/words.txt": b"one two"}


def test_an_image_has_links_to_where_external_files_will_be(place: Place, tmp_path: Path) -> None:
    """So the data directory that it has is the one that the model is given, and nothing is written there."""
    place.hub.others["/words"] = b"one two"
    config = external(f"{place.hub.endpoint}/words")
    ((link, to),) = data_links(config)
    assert link == "/app/data/in/words.txt"
    data = tmp_path / "data"
    (data / "in").mkdir(parents=True)
    (data / "in" / "words.txt").symlink_to(to.replace("/var/cache/chainctl/models", str(place.places.root)))
    data.chmod(0o555)
    assert place.fetch(config, data) == data
    assert (data / "in" / "words.txt").read_bytes() == b"one two"


def test_an_external_file_goes_on_only_if_it_is_the_same(place: Place) -> None:
    """It has no digest: the server's own mark of its content decides."""
    url = f"{place.hub.endpoint}/words"
    place.hub.others["/words"] = b"a" * 3_000_000
    place.hub.cuts[:] = [1_000_000, 500_000]
    place.fetch(external(url))
    assert place.hub.ranges("/words") == ["", "bytes=1000000-", "bytes=1500000-"]
    place.hub.others["/more"], place.hub.cuts[:] = b"a" * 3_000_000, [1_000_000, 0, 0, 0, 0]
    with pytest.raises(CannotStartError):
        place.fetch(external(f"{place.hub.endpoint}/more"))
    place.hub.others["/more"], place.hub.etag = b"b" * 2_500_000, '"second"'
    place.hub.cuts.clear()
    given = place.fetch(external(f"{place.hub.endpoint}/more"))
    assert given is not None
    assert contents(given) == {"in/words.txt": b"b" * 2_500_000}


def test_a_server_without_ranges_sends_all_of_it_again(place: Place) -> None:
    """And it is whole."""
    place.hub.has_ranges = False
    place.hub.others["/words"] = WEIGHTS
    place.hub.cuts[:] = [1_000_000]
    given = place.fetch(external(f"{place.hub.endpoint}/words"))
    assert given is not None
    assert contents(given) == {"in/words.txt": WEIGHTS}


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/a", "http://", "http://[", "words.txt"])
def test_only_the_web_is_fetched_from(place: Place, url: str) -> None:
    """A file of the container is none of it."""
    with pytest.raises(CannotStartError, match="is no http or https URL"):
        place.fetch(external(url))


def test_what_is_secret_in_a_url_is_not_told(place: Place) -> None:
    """A signed URL stays out of messages."""
    with pytest.raises(CannotStartError) as caught:
        place.fetch(external(f"{place.hub.endpoint}/none?signature=abc"))
    assert "404 Not Found" in caught.value.message
    assert "abc" not in caught.value.text
    assert shown("https://me:word@host/a?b=c") == "https://host/a"


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b", "."])
def test_places_outside_of_the_data_directory_are_refused(path: str) -> None:
    """Before anything is asked of anybody."""
    with pytest.raises(CannotStartError, match="not below the data directory"):
        asked_files(external("http://host/a", path))


@given(st.text(min_size=1, max_size=40))
def test_safe_paths_stay_below(text: str) -> None:
    """Whatever is let through leads to a place below the directory."""
    if is_safe(text):
        root = Path("/root/of/it")
        assert Path(os.path.normpath(root / text)).is_relative_to(root)
        assert Path(os.path.normpath(root / text)) != root


# --- all of it ---


def test_a_model_without_files_from_elsewhere_is_given_what_it_was(tmp_path: Path) -> None:
    """And nothing is made anywhere."""
    manifest = ChainletManifest(data_dir=tmp_path / "data")
    environ = {"CHAINCTL_CACHE": str(tmp_path / "cache")}
    assert with_files({"external_data": None, "model_cache": []}, manifest, environ) == manifest
    assert list(tmp_path.iterdir()) == []


def test_a_deployed_model_has_its_token_in_a_file(place: Place, tmp_path: Path) -> None:
    """Which is read when it is needed; the hub is the one that the environment names."""
    place.hub.repos[REPO].token = "hf_secret"
    (place.secrets / "hf_access_token").write_text("hf_secret\n")
    manifest = ChainletManifest(secrets_dir=place.secrets, data_dir=tmp_path / "data")
    environ = {"CHAINCTL_CACHE": str(place.places.root), "HF_ENDPOINT": f"{place.hub.endpoint}/"}
    assert with_files(cached(), manifest, environ) == manifest
    assert contents(place.repo / "snapshots" / COMMIT) == FILES


def test_progress_is_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """One line in the end, and before that one every few seconds at most."""
    now = 0.0
    progress = Progress("org/tiny", 4_000_000_000, clock=lambda: now)
    with caplog.at_level(logging.INFO, "chainctl.models"):
        for second in range(12):
            now = float(second)
            progress.add(250_000_000)
        progress.end()
    assert caplog.messages == [
        "fetching org/tiny: 1.5 GB of 4.0 GB",
        "fetching org/tiny: 2.8 GB of 4.0 GB",
        "org/tiny is here: 3.0 GB in 11 s",
    ]
