"""The local target's directories in; its images, with the services that use them, out; and some removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.local.images import DRAFT_PREFIX, image_directory
from chainctl.adapters.local.memory import RememberedService, recall
from chainctl.adapters.local.paths import MEMORY_NAME, LocalPaths
from chainctl.deploy.image_store import Leftover, Stored, StoredImage
from chainctl.deploy.state import ServiceStatus
from chainctl.errors import DeployError


@dataclass(frozen=True, slots=True)
class LocalImageStore:
    """Directories `images/<chain>/<chainlet>/<tag>`; what a build that was cut off copied is a leftover."""

    paths: LocalPaths

    def stored(self, chain: str | None = None) -> Stored:
        services = self._services()
        images = tuple(_stored_image(self.paths.images, path, services) for path in self._directories())
        return Stored(
            images=tuple(image for image in images if chain in (None, image.chain)),
            leftovers=tuple(self._drafts()) if chain in (None, "") else (),
            bytes=sum(image.bytes for image in images),
        )

    def remove_image(self, image: StoredImage) -> None:
        """Take it away at once, then delete it: half an image must never be found."""
        place = image_directory(self.paths.images, image.own_name)
        gone = self.paths.images / f"{DRAFT_PREFIX}gone-{image.own_name.replace('/', '-').replace(':', '-')}"
        try:
            place.rename(gone)
        except FileNotFoundError:
            return
        except OSError as error:
            raise DeployError(f"{place} can not be removed: {error.strerror}") from error
        shutil.rmtree(gone, ignore_errors=True)

    def remove_leftover(self, leftover: Leftover) -> None:
        shutil.rmtree(leftover.id, ignore_errors=True)

    def _directories(self) -> list[Path]:
        found = self.paths.images.glob("[!.]*/*/*")
        return sorted(path for path in found if path.is_dir())

    def _drafts(self) -> Iterator[Leftover]:
        for path in sorted(self.paths.images.glob(f"{DRAFT_PREFIX}*")):
            yield Leftover(
                str(path), f"files of a build that was cut off ({path.name})", "", path.stat().st_mtime
            )

    def _services(self) -> list[RememberedService]:
        memories = (recall(path) for path in (self.paths.root / "chains").glob(f"*/{MEMORY_NAME}"))
        return [service for memory in memories if memory is not None for service in memory.services]


def _stored_image(images: Path, path: Path, services: Sequence[RememberedService]) -> StoredImage:
    chain, chainlet, tag = path.relative_to(images).parts
    name = f"{chain}/{chainlet}:{tag}"
    size = sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
    users = [service for service in services if service.image == name]
    return StoredImage(
        id=name,
        names=(name,),
        chain=chain,
        chainlet=chainlet,
        bytes=size,
        own_bytes=size,
        since=path.stat().st_mtime,
        users=tuple(sorted(service.name for service in users)),
        running=tuple(sorted(s.name for s in users if s.status is ServiceStatus.RUNNING)),
    )
