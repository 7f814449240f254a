"""Options that several verbs share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def complete_chains(incomplete: str) -> list[str]:
    """Complete names of chains from the releases recorded here; asks no engine."""
    from chainctl.cli.wiring_light import recorded_chains

    return [name for name in recorded_chains() if name.startswith(incomplete)]


FileArgument = Annotated[
    str, typer.Argument(metavar="FILE[:CHAINLET]", help="Chain file, and the entrypoint if it is not marked.")
]
ChainArgument = Annotated[
    str, typer.Argument(metavar="CHAIN", help="Name of a chain.", autocompletion=complete_chains)
]
TargetOption = Annotated[
    str | None,
    typer.Option("--target", metavar="auto|docker|local|swarm|kubernetes|NAME", help="Where the chain runs."),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the chain, instead of the one in the file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON with a format_version.")]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Tell every reason of a build, not only the first.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print every build step and line.")]
RegistryOption = Annotated[
    str | None, typer.Option("--registry", metavar="HOST/PREFIX", help="Publish the images there.")
]
PlatformOption = Annotated[
    str | None,
    typer.Option("--platform", metavar="linux/amd64|linux/arm64", help="Build the images for it."),
]
KeepWarmOption = Annotated[
    int | None,
    typer.Option(
        "--keep-warm", metavar="N", min=0, help="Let the services of the last N releases go on running."
    ),
]
LockedOption = Annotated[
    bool | None,
    typer.Option(
        "--locked/--no-locked",
        help="Fail where chainctl.lock would have to change.",
        show_default="when CI=true",
    ),
]
SecretsOption = Annotated[
    Path | None,
    typer.Option(
        "--secrets", metavar="FILE", exists=True, dir_okay=False, help="File with NAME=value lines."
    ),
]
