"""An ImagePlan in, a directory with the files of its context out; such directories are this target's images."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.errors import BuildError
from chainctl.events import Emit

APP = "app"
DRAFT_PREFIX = ".draft-"
_BLOCK = 1024 * 1024


class LocalBuildBackend:
    """Builds by copying: `root/images/<repository>/<tag>/app/…`. Nothing is compiled or installed."""

    def __init__(self, root: Path) -> None:
        self._images = root / "images"

    @property
    def joins_equal_steps(self) -> bool:
        """There are no steps."""
        return True

    def existing(self, refs: Iterable[ImageRef]) -> frozenset[ImageRef]:
        return frozenset(ref for ref in refs if self._place(ref).is_dir())

    def build(self, image: ImagePlan, emit: Emit) -> None:
        """Copy the context into place at once or not at all. Raises BuildError."""
        if not self._place(image.ref).is_dir():
            self._materialise(image)

    def cancel(self) -> None:
        """Copying is short: builds under way end by themselves."""

    def _place(self, ref: ImageRef) -> Path:
        return image_directory(self._images, str(ref))

    def _materialise(self, image: ImagePlan) -> None:
        self._images.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=self._images))
        try:
            _copy_all(image.chainlet, image.context, draft)
            draft.chmod(0o755)
            _move(draft, self._place(image.ref))
        except OSError as error:
            raise BuildError(
                image.chainlet,
                "copy",
                [],
                reason=str(error),
                hint="free the disk or restore the file, then push again",
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def image_directory(images: Path, image: str) -> Path:
    """Return the directory of an image by its full name, `<repository>:<tag>`."""
    repository, _, tag = image.rpartition(":")
    return images / repository / tag


def _copy_all(chainlet: str, context: BuildContext, draft: Path) -> None:
    (draft / APP).mkdir()
    for file in context.files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts:
            raise BuildError(chainlet, f"copy {file.path}", [], reason="it leaves the image")
        if path.parts[0] == APP:
            _copy(chainlet, file, draft / path)


def _copy(chainlet: str, file: ContextFile, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    digest = _write(file.content, place)
    place.chmod(file.mode)
    if digest != file.sha256:
        raise BuildError(
            chainlet,
            f"copy {file.path}",
            [],
            reason="the file changed while it was being read",
            hint="push again",
        )


def _write(content: bytes | Path, place: Path) -> str:
    if isinstance(content, bytes):
        place.write_bytes(content)
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    with content.open("rb") as source, place.open("wb") as sink:
        while block := source.read(_BLOCK):
            digest.update(block)
            sink.write(block)
    return digest.hexdigest()


def _move(draft: Path, place: Path) -> None:
    """Put the finished image in place; when another builder was faster, its equal copy stays."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        draft.rename(place)
    except OSError:
        if not place.is_dir():
            raise
