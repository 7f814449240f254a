"""What installers leave behind, read: Python's METADATA, dpkg's status, os-release."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.build.image_contents import Distribution, OperatingSystem, SystemPackage
from chainctl.build.installed import distribution_of, operating_system, system_packages

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u10
Description: GNU C Library
 Version: not this one

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: adduser
Status: install ok installed
Architecture: all
Version: 3.134
"""


@pytest.mark.parametrize(
    ("lines", "license", "has_expression"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: text", "MIT OR Apache-2.0", True),
        ("Classifier: License :: OSI Approved :: MIT License\nLicense: a whole text", "MIT License", False),
        ("License: BSD", "BSD", False),
        ("License: UNKNOWN", "", False),
        ("License: Permission is\n        hereby granted", "", False),
        ("", "", False),
    ],
)
def test_a_distribution_is_read(lines: str, license: str, *, has_expression: bool) -> None:
    """With its licence, where it can be told in a few words."""
    text = f"Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0+cpu\n{lines}\n\nName: not this one\n"
    assert distribution_of(text) == Distribution("Foo.Bar", "1.0+cpu", license, has_expression)


def test_what_is_no_distribution_is_none() -> None:
    """Without name or version there is nothing to tell."""
    assert distribution_of("Name: foo\n") is None
    assert distribution_of("") is None


def test_installed_system_packages_are_read() -> None:
    """Sorted; what was removed is not told."""
    assert system_packages(STATUS) == (
        SystemPackage("adduser", "3.134", "all"),
        SystemPackage("libc6", "2.36-9+deb12u10", "amd64", "glibc"),
    )
    assert system_packages("") == ()


def test_an_operating_system_is_read() -> None:
    """Quoted or not."""
    text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
    assert operating_system(text) == OperatingSystem("debian", "12", "Debian GNU/Linux 12 (bookworm)")
    assert operating_system("") is None


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    """An image may hold anything under these names."""
    distribution_of(text)
    system_packages(text)
    operating_system(text)
