"""What is written out: images by digest, files into empty directories, and what no cluster hands on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.build.plan import plan_build
from chainctl.build.settings import BuildSettings
from chainctl.deploy.rendered import Rendered
from chainctl.errors import UsageError
from chainctl.workflows.draft import DraftSettings, draft_release
from chainctl.workflows.render_release import NamedSecrets, as_published, by_digest, fitting_data, write_tree
from tests.fakes.chains import chainlet, graph_of, release_of, snapshot_of
from tests.fakes.full_release import DIGEST, full_release

GRAPH = graph_of({"Front": ["Leaf"], "Leaf": []})


def test_images_are_named_by_digest_in_a_registry() -> None:
    """Each chainlet's own."""
    images = plan_build(GRAPH, "shop", snapshot_of(), BuildSettings())
    found = by_digest(release_of(GRAPH), images, lambda ref: f"r/{ref.repository}@sha256:1", "build")
    assert {s.chainlet: s.published for s in found.services} == {
        "Front": "r/shop/front@sha256:1",
        "Leaf": "r/shop/leaf@sha256:1",
    }


def test_images_that_are_not_there_are_named() -> None:
    """All at once, and with the command that brings them there."""
    images = plan_build(GRAPH, "shop", snapshot_of(), BuildSettings())
    with pytest.raises(UsageError, match="1 of 2 images are not in the registry") as caught:
        by_digest(
            release_of(GRAPH), images, lambda ref: "r" if "leaf" in ref.repository else None, "build it"
        )
    assert "build it" in caught.value.hint
    assert [detail.partition(":")[0] for detail in caught.value.details] == ["shop/front"]


def test_an_earlier_release_tells_where_images_are() -> None:
    """Only where it has the very image."""
    release = release_of(GRAPH)
    earlier = replace(release, services=tuple(replace(s, published=DIGEST) for s in release.services[:1]))
    other = replace(release, services=tuple(replace(s, image="x", published="y") for s in release.services))
    found = as_published(release, [earlier, other])
    assert [s.published for s in found.services] == [DIGEST, ""]


def test_no_secret_is_needed() -> None:
    """Whatever the chainlets declare: the release names them and knows nothing of their values."""
    spec = chainlet("Front", config={"assets": {"secret_keys": ["KEY"]}})
    settings = DraftSettings(api_key="door", tls="pem")
    draft = draft_release(
        graph_of({"Front": []}, specs=[spec]), settings, lambda *_: snapshot_of(), NamedSecrets()
    )
    (service,) = draft.release.services
    assert [(s.name, s.fingerprint) for s in service.secrets] == [("KEY", "")]
    assert draft.release.front_door.api_key is not None


def test_a_tree_is_written_where_nothing_is(tmp_path: Path) -> None:
    """Its files are as they were given; a directory with something in it is left alone."""
    rendered = Rendered((("a.yaml", "a\n"), ("b/c.yaml", "c\n")))
    assert write_tree(rendered, tmp_path / "out") == [tmp_path / "out/a.yaml", tmp_path / "out/b/c.yaml"]
    assert (tmp_path / "out/b/c.yaml").read_text() == "c\n"
    with pytest.raises(UsageError, match="is not empty"):
        write_tree(rendered, tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not empty"):
        write_tree(rendered, tmp_path / "file")


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    """One that is elsewhere can not be measured, and one that fits is taken."""
    file = tmp_path / "weights.bin"
    release = full_release()

    def with_source(source: str) -> list[str]:
        services = tuple(
            replace(s, data=tuple(replace(d, source=source) for d in s.data)) for s in release.services
        )
        return [d.source for s in fitting_data(replace(release, services=services)).services for d in s.data]

    file.write_bytes(bytes(1 << 20))
    assert with_source(str(file)) == [str(file)]
    assert with_source("https://x/weights.bin") == ["https://x/weights.bin"]
    file.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(UsageError, match="has 1048577 bytes"):
        with_source(str(file))
