"""Texts that installers leave in an image in; the packages that they describe out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser

from chainctl.build.image_contents import Distribution, OperatingSystem, SystemPackage

_LICENSE_CLASSIFIER = "License :: "
_LONGEST_LICENSE_NAME = 80


def distribution_of(metadata: str) -> Distribution | None:
    """Read a distribution's METADATA; None when it has no name or version."""
    headers = HeaderParser().parsestr(metadata)
    name, version = (str(headers.get(key, "")).strip() for key in ("Name", "Version"))
    if not name or not version:
        return None
    expression = str(headers.get("License-Expression", "")).strip()
    return Distribution(name, version, expression or _license_name(headers), bool(expression))


def system_packages(status: str) -> tuple[SystemPackage, ...]:
    """Read dpkg's status file; packages that were removed and only left settings are not told."""
    found = (_system_package(fields) for fields in _paragraphs(status))
    return tuple(sorted((p for p in found if p is not None), key=lambda p: (p.name, p.architecture)))


def operating_system(os_release: str) -> OperatingSystem | None:
    """Read os-release; None when it names no system."""
    pairs = (line.partition("=") for line in os_release.splitlines())
    fields = {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    if not fields.get("ID"):
        return None
    return OperatingSystem(fields["ID"], fields.get("VERSION_ID", ""), fields.get("PRETTY_NAME", ""))


def _license_name(headers: Message) -> str:
    """The classifiers' words where there are some: the field often holds a whole text."""
    classifiers = [str(value) for value in headers.get_all("Classifier", [])]
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith(_LICENSE_CLASSIFIER)]
    if named:
        return ", ".join(sorted(named))
    text = str(headers.get("License", "")).strip()
    is_name = "\n" not in text and len(text) <= _LONGEST_LICENSE_NAME and text.upper() != "UNKNOWN"
    return text if is_name else ""


def _system_package(fields: dict[str, str]) -> SystemPackage | None:
    if not fields.get("Status", "").endswith(" installed") or not fields.get("Package"):
        return None
    source = fields.get("Source", "").partition(" ")[0]
    return SystemPackage(fields["Package"], fields.get("Version", ""), fields.get("Architecture", ""), source)


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    for paragraph in text.split("\n\n"):
        lines = (line for line in paragraph.splitlines() if line and not line[0].isspace())
        yield {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
