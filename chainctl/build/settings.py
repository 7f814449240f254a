"""What the user's settings say about builds, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainctl.sdk.config import BasetenImage, CustomImage


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """`base_images` maps Python versions ("3.11") to images; others are `python:VERSION-slim`.

    `certificates` are absolute paths of extra CA certificates (PEM) to trust in the images.
    `index_url` stands for the public package index, "" means that itself; `extra_index_urls` are looked at
    before it. `index_credentials_secret` names the secret with netrc text for them. `platform` is that of
    the images, `foreign_platform` the same where the engine has another one of its own, else "".
    `cpu_wheels` chooses builds of torch for the CPU where a chainlet asks for no GPU. `apt_mirror` is a URL
    that stands for Debian's own mirrors, "" means those.
    """

    base_images: Mapping[str, str] = field(default_factory=dict)
    certificates: tuple[str, ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    index_credentials_secret: str | None = None
    platform: str = "linux/amd64"
    cpu_wheels: bool = True
    foreign_platform: str = ""
    apt_mirror: str = ""

    def image_for(self, base: BasetenImage | CustomImage) -> str:
        if isinstance(base, CustomImage):
            return base.image
        version = base.python_version
        return self.base_images.get(version, f"python:{version}-slim")
