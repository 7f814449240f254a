"""Bytes under their digest: in a directory and where fsspec reaches, with one contract."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from chainctl.errors import StateError
from chainctl.state.artifacts import ArtifactStore, DirectoryArtifacts, RemoteArtifacts, artifacts_at

DATA = b"weights" * 100
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["directory", "fsspec"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """An empty store; both keep their files below a directory."""
    where = str(tmp_path / "store")
    return artifacts_at(where if request.param == "directory" else f"file://{where}")


def test_what_was_put_comes_back_under_its_digest(store: ArtifactStore) -> None:
    """Putting it twice is no harm; forgetting it twice neither."""
    assert [store.put(DATA), store.put(DATA)] == [DIGEST, DIGEST]
    assert store.get(DIGEST) == DATA
    assert list(store.older_than(-10)) == [DIGEST]
    assert list(store.older_than(3600)) == []
    store.delete(DIGEST)
    store.delete(DIGEST)
    with pytest.raises(StateError, match=f"the artifact {DIGEST[:12]} is not in"):
        store.get(DIGEST)


def test_what_somebody_changed_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    """It may be code."""
    store.put(DATA)
    (path,) = (tmp_path / "store").glob("*/*")
    path.chmod(0o600)
    path.write_bytes(b"evil")
    with pytest.raises(StateError, match="it was changed or damaged"):
        store.get(DIGEST)


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "x" * 64, DIGEST.upper()])
def test_a_name_that_is_no_digest_leads_nowhere(name: str, store: ArtifactStore) -> None:
    for use in (store.get, store.delete):
        with pytest.raises(StateError, match="is no artifact's name"):
            use(name)


def test_a_scheme_that_nothing_knows_is_said() -> None:
    with pytest.raises(StateError, match="can not be kept in nowhere://x"):
        artifacts_at("nowhere://x")


def test_a_place_is_a_directory_or_a_url(tmp_path: Path) -> None:
    assert isinstance(artifacts_at(str(tmp_path)), DirectoryArtifacts)
    assert isinstance(artifacts_at("memory://x"), RemoteArtifacts)
