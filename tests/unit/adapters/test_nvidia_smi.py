"""What nvidia-smi writes, as recorded, and as a program of that name does."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainctl.adapters.nvidia_smi import parse_smi, smi_devices, visible_devices
from chainctl.deploy.devices import Device

MIB = 1 << 20
TWO = """\
1, GPU-8c2b9f6e-0000-0000-0000-000000000001, 81559, NVIDIA H100 80GB HBM3
0, GPU-5b1d7a9c-0000-0000-0000-000000000000, 23034, NVIDIA L4
"""
L4 = Device("GPU-5b1d7a9c-0000-0000-0000-000000000000", 0, "NVIDIA L4", 23034 * MIB)
H100 = Device("GPU-8c2b9f6e-0000-0000-0000-000000000001", 1, "NVIDIA H100 80GB HBM3", 81559 * MIB)


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        (TWO, (L4, H100)),
        ("", ()),
        ("No devices were found\n", ()),
        ("0, GPU-1, [N/A], NVIDIA GB10\n", (Device("GPU-1", 0, "NVIDIA GB10", None),)),
        ("0, GPU-1, [Not Supported], A, B\n", (Device("GPU-1", 0, "A, B", None),)),
        ("Unable to determine the device handle for GPU 0000:01:00.0: Unknown Error\n", ()),
    ],
)
def test_each_line_is_a_device(text: str, devices: tuple[Device, ...]) -> None:
    assert parse_smi(text) == devices


@pytest.mark.parametrize(
    ("wanted", "devices"),
    [
        (None, (L4, H100)),
        ("1", (H100,)),
        ("1,0", (L4, H100)),
        ("GPU-5b", (L4,)),
        ("", ()),
        ("0,7,1", (L4,)),
        ("GPU-", ()),
        ("NoDevFiles", ()),
    ],
)
def test_only_visible_devices_are_given(wanted: str | None, devices: tuple[Device, ...]) -> None:
    """As CUDA reads that variable."""
    assert visible_devices((L4, H100), wanted) == devices


def program(directory: Path, script: str) -> str:
    (directory / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (directory / "nvidia-smi").chmod(0o755)
    return str(directory)


def test_the_program_is_asked(tmp_path: Path) -> None:
    assert smi_devices(program(tmp_path, f"cat <<'END'\n{TWO}END")) == (L4, H100)


@pytest.mark.parametrize("script", ["exit 9", "echo No devices were found", "exec /absent/program"])
def test_what_does_not_answer_is_unknown(script: str, tmp_path: Path) -> None:
    """No GPU is guessed."""
    assert smi_devices(program(tmp_path, script)) is None
    assert smi_devices(str(tmp_path / "nowhere")) is None
