"""A chain and settings in; the release that is written out for others to run, and its files, out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from chainctl.build.context import ImageRef
from chainctl.build.plan import BuildPlan
from chainctl.deploy.kubernetes.names import require_data_fits
from chainctl.deploy.release import Release
from chainctl.deploy.rendered import Rendered
from chainctl.errors import UsageError


class NamedSecrets:
    """Stands where values of secrets are looked up: what is written out refers to them by name alone.

    So rendering needs no secret, and gives the same files on every machine.
    """

    def fingerprints(self, chain: str, wanted: Mapping[str, Iterable[str]]) -> dict[str, str]:
        return dict.fromkeys(wanted, "")

    def fingerprint(self, chain: str, name: str) -> str | None:
        return ""

    def token(self, chain: str) -> str:
        return ""


def by_digest(
    release: Release, images: BuildPlan, find: Callable[[ImageRef], str | None], command: str
) -> Release:
    """Return a release whose images are named by digest in a registry. Raises UsageError for those that are not there.

    `command` is what pushes them.
    """
    found = {image.chainlet: find(image.ref) for image in images.images}
    missing = sorted(str(image.ref) for image in images.images if not found[image.chainlet])
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(found)} images are not in the registry",
            hint=f"push them first: `{command}`.",
            details=missing,
        )
    return release.published_as({name: image for name, image in found.items() if image})


def as_published(release: Release, earlier: Iterable[Release]) -> Release:
    """Return a release whose images are named by digest where an earlier one was published with the same."""
    known = {s.image: s.published for one in earlier for s in one.services if s.published}
    services = (replace(s, published=s.published or known.get(s.image, "")) for s in release.services)
    return replace(release, services=tuple(services))


def fitting_data(release: Release) -> Release:
    """Return a release as it is. Raises UsageError where a file of this machine is larger than a cluster hands on."""
    for spec in release.services:
        for data in spec.data:
            path = Path(data.source)
            if "://" not in data.source and path.is_file():
                require_data_fits(release.chain, data.source, path.stat().st_size)
    return release


def require_empty(directory: Path) -> None:
    """Raise UsageError for a directory that holds something, or that is none."""
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise UsageError(f"{directory} is not empty", hint="give an empty directory, or remove it first.")


def write_tree(rendered: Rendered, directory: Path) -> list[Path]:
    """Write files below a directory, which must be empty or absent; returns their paths. Raises UsageError."""
    require_empty(directory)
    written = []
    for name, text in rendered.files:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
