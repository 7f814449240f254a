"""What an image is in; the labels that say so out, by the names of the Open Container Initiative where it has them.

They are given to the build beside its context: an image keeps its name, and is not built again, when
the same files are in another revision.
"""

from __future__ import annotations

from chainctl.build.base import Base
from chainctl.build.context import ImageRef

INPUTS = "chainctl.inputs"
TITLE = "org.opencontainers.image.title"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
REVISION = "org.opencontainers.image.revision"


def image_labels(ref: ImageRef, inputs: str, base: Base) -> tuple[tuple[str, str], ...]:
    """Return the labels of an image, sorted. `inputs` is the digest of its context."""
    pinned = {BASE_DIGEST: base.digest or base.id} if base.digest or base.id else {}
    return tuple(sorted({TITLE: ref.repository, INPUTS: inputs, BASE_NAME: base.name, **pinned}.items()))
