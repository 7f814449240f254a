"""Settings in; what they decide of a release, out."""

from __future__ import annotations

from chainctl.build.settings import BuildSettings
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import this_platform
from chainctl.cli.worlds import World
from chainctl.deploy.release import FrontDoor
from chainctl.deploy.settings import DeploySettings
from chainctl.sdk.config import BasetenImage
from chainctl.workflows.draft import DraftSettings


def draft_settings(
    settings: Settings, name: str | None, world: World | None = None, *, has_builds: bool = True
) -> DraftSettings:
    """Turn settings into what shapes a release, for a world or for none; local processes need no builds."""
    bind = settings.bind if settings.kind != "kubernetes" else ""
    door = FrontDoor(bind, settings.port, settings.front_door_image)
    platform, foreign = _platforms(settings, world)
    return DraftSettings(
        build=BuildSettings(
            _base_images(settings),
            tuple(map(str, settings.ca_certificates)),
            apt_mirror=settings.apt_mirror or "",
            index_url=settings.index_url or "",
            extra_index_urls=settings.extra_index_urls,
            index_credentials_secret=settings.index_credentials_secret,
            platform=platform,
            cpu_wheels=settings.cpu_wheels,
            foreign_platform=foreign,
        ),
        deploy=DeploySettings(
            front_door=door,
            start_timeout_sec=settings.start_timeout_sec,
            environment=settings.environment,
        ),
        name=name,
        has_builds=has_builds and (world is None or world.kind != "local"),
        api_key=settings.api_key_secret,
        tls=settings.tls_secret,
    )


def _platforms(settings: Settings, world: World | None) -> tuple[str, str]:
    """The platform of images, and the same again where the engine has another one of its own, else ""."""
    own = world.own_platform() if world else this_platform()
    wanted = own if world and world.kind == "local" else settings.platform or own
    return wanted, "" if wanted == own else wanted


def _base_images(settings: Settings) -> dict[str, str]:
    if settings.base_image is None:
        return {}
    versions = [image.python_version for image in BasetenImage]
    return {version: settings.base_image.replace("{version}", version) for version in versions}
