"""A written project, or the table of templates, in; its listing on stdout and the next commands on stderr out."""

from __future__ import annotations

from chainctl.cli.console import Console
from chainctl.cli.output import print_result
from chainctl.workflows.init import Project
from chainctl.workflows.init_templates import TEMPLATES


def print_project(project: Project, *, as_json: bool) -> None:
    """Print the files, one a line; what to do next goes to stderr."""
    files = [str(path) for path in project.files]
    value = {
        "chain": project.chain,
        "template": project.template,
        "directory": str(project.directory),
        "files": files,
        "next": list(project.next_commands),
    }
    print_result("\n".join(files), value, as_json=as_json)
    console = Console()
    console.line(f"The chain {project.chain} is written. Try it, then bring it up:")
    for command in project.next_commands:
        console.line(f"  {command}")


def print_templates(*, as_json: bool) -> None:
    """Print every template with its summary, one a line."""
    width = max(map(len, TEMPLATES))
    lines = [f"{t.name.ljust(width)}  {t.summary}" for t in TEMPLATES.values()]
    value = {"templates": [{"name": t.name, "summary": t.summary} for t in TEMPLATES.values()]}
    print_result("\n".join(lines), value, as_json=as_json)
