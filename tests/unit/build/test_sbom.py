"""Bills of materials: valid by the official schema, the same for the same image, with what was locked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from chainctl.build.base import Base
from chainctl.build.image_contents import (
    Distribution,
    Files,
    ImageContents,
    OperatingSystem,
    SystemPackage,
)
from chainctl.build.lock import Environment, LockedPackage
from chainctl.build.sbom import Subject, sbom_of

SUBJECT = Subject("shop", "Root", "shop/root:abc")
CONTENTS = ImageContents(
    id="sha256:" + "a" * 64,
    platform="linux/amd64",
    base=Base("r.test:5000/python:3.11-slim", "sha256:" + "b" * 64),
    distributions=(
        Distribution("Foo.Bar", "1.0+cpu", "MIT", has_expression=True),
        Distribution("msgpack", "1.1.0", "Apache Software License"),
        Distribution("plain", "2"),
    ),
    system_packages=(SystemPackage("libstdc++6", "1:12.2~rc1", "amd64", "gcc-12"),),
    system=OperatingSystem("debian", "12", "Debian GNU/Linux 12 (bookworm)"),
    code=Files(2, "c" * 64),
    runtime=Files(90, "d" * 64),
    runtime_version="0.1.0",
)
ENVIRONMENT = Environment(
    inputs="",
    python="3.11",
    platform="linux/amd64",
    packages=(
        LockedPackage("foo-bar", "foo-bar==1.0+cpu", ("sha256:" + "2" * 64, "sha256:" + "1" * 64)),
        LockedPackage("msgpack", "msgpack==9.9.9", ("sha256:" + "3" * 64,)),
        LockedPackage("plain", "plain @ git+https://git.test/plain@0123abc"),
    ),
    indexes=("https://index.test/simple",),
)


def component(bom: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (c for c in bom["components"] if c["name"] == name)
    return dict(found)


@pytest.mark.parametrize("environment", [None, ENVIRONMENT], ids=["unlocked", "locked"])
@pytest.mark.parametrize(
    "contents", [CONTENTS, ImageContents("sha256:1", "linux/amd64")], ids=["full", "empty"]
)
@pytest.mark.parametrize("made_at", [None, 1_700_000_000.0], ids=["timeless", "dated"])
def test_it_is_valid(contents: ImageContents, environment: Environment | None, made_at: float | None) -> None:
    """By the schema of CycloneDX 1.5, strictly."""
    text = json.dumps(sbom_of(SUBJECT, contents, environment, made_at))
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None


def test_packages_have_their_purl_and_licence() -> None:
    """Normalised, with what a URL must not hold encoded."""
    bom = sbom_of(SUBJECT, CONTENTS)
    assert component(bom, "foo-bar") == {
        "type": "library",
        "bom-ref": "pkg:pypi/foo-bar@1.0%2Bcpu",
        "name": "foo-bar",
        "version": "1.0+cpu",
        "purl": "pkg:pypi/foo-bar@1.0%2Bcpu",
        "licenses": [{"expression": "MIT"}],
    }
    assert component(bom, "msgpack")["licenses"] == [{"license": {"name": "Apache Software License"}}]
    assert component(bom, "libstdc++6")["purl"] == (
        "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2~rc1?arch=amd64&distro=debian-12"
    )


def test_the_base_has_its_digest() -> None:
    """Of its name, or of its own."""
    base = component(sbom_of(SUBJECT, CONTENTS), "r.test:5000/python")
    assert (base["version"], base["hashes"]) == ("3.11-slim", [{"alg": "SHA-256", "content": "b" * 64}])
    pinned = replace(CONTENTS, base=Base("r.test:5000/python@sha256:" + "e" * 64))
    base = component(sbom_of(SUBJECT, pinned), "r.test:5000/python")
    assert base["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]
    assert "version" not in base
    odd = component(sbom_of(SUBJECT, replace(CONTENTS, base=Base("base", "sha256:no"))), "base")
    assert odd == {"type": "container", "bom-ref": "base", "name": "base"}


def test_what_was_locked_says_where_packages_come_from() -> None:
    """Hashes of the files that may be it; nothing where another version is installed."""
    bom = sbom_of(SUBJECT, CONTENTS, ENVIRONMENT)
    assert component(bom, "foo-bar")["externalReferences"] == [
        {
            "type": "distribution",
            "url": "https://index.test/simple/foo-bar/",
            "hashes": [{"alg": "SHA-256", "content": "1" * 64}, {"alg": "SHA-256", "content": "2" * 64}],
        }
    ]
    assert "externalReferences" not in component(bom, "msgpack")
    assert component(bom, "plain")["externalReferences"] == [
        {"type": "vcs", "url": "git+https://git.test/plain@0123abc"}
    ]


def test_it_is_the_same_for_the_same_image() -> None:
    """The serial number follows from the content, and the time is not part of it."""
    one, again = sbom_of(SUBJECT, CONTENTS), sbom_of(SUBJECT, CONTENTS)
    assert json.dumps(one) == json.dumps(again)
    dated = sbom_of(SUBJECT, CONTENTS, made_at=1_700_000_000.0)
    assert dated["serialNumber"] == one["serialNumber"]
    assert dated["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    other = sbom_of(SUBJECT, replace(CONTENTS, code=Files(2, "e" * 64)))
    assert other["serialNumber"] != one["serialNumber"]
