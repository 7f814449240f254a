"""`chainctl version`: what is installed."""

from __future__ import annotations

from chainctl.cli.options import JsonOption


def version(as_json: JsonOption = False) -> None:
    """Print the version of chainctl."""
    import platform

    from chainctl.cli.output import print_result
    from chainctl.version import __version__

    value = {"version": __version__, "python": platform.python_version()}
    print_result(f"chainctl {__version__}", value, as_json=as_json)
