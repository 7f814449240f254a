"""A chain file, a fidelity and maybe arguments in; a result on stdout, or a served chain, out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chainctl.adapters.files import take_snapshot
from chainctl.cli.calling import answer_text, request_body
from chainctl.cli.console import Console, now
from chainctl.cli.loading import load_graph
from chainctl.cli.local_requirements import require_installed
from chainctl.cli.wiring import (
    downloads,
    draft_settings,
    local_world,
    origin_of,
    python_executable,
    secret_sources,
    settings_for,
    state_dir,
)
from chainctl.deploy.compose_release import data_of, secret_names
from chainctl.deploy.target import LogLine
from chainctl.errors import CallFailedError, ChainctlError, DeployError, UsageError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph
from chainctl.wire.log_line import readable
from chainctl.workflows.call import call
from chainctl.workflows.down import down
from chainctl.workflows.draft import draft_release
from chainctl.workflows.error_lines import error_lines
from chainctl.workflows.push import push

FIDELITIES = ("inline", "codec", "process")


def run_chain(
    file: str, data: str | None, fidelity: str, *, port: int, secrets: Path | None, as_json: bool
) -> None:
    """Run or serve a chain. Raises ChainctlError when user code raises, with its traceback."""
    if fidelity not in FIDELITIES:
        raise UsageError(f"there is no fidelity {fidelity}", hint=f"use one of {', '.join(FIDELITIES)}.")
    body = None if data is None else request_body(data)
    graph = load_graph(file)
    require_installed(graph)
    if fidelity == "process":
        answer = _in_processes(graph, body, port, secrets)
    else:
        answer = _in_one_process(graph, ChainFile.parse(file), body, fidelity, port, secrets)
    if answer is not None:
        sys.stdout.write(answer_text(answer, as_json=as_json))


def _in_processes(graph: ChainGraph, body: bytes | None, port: int, secrets: Path | None) -> bytes | None:
    """Bring the chain up as local processes for the time of this command; show what they write."""
    console = Console(is_quiet=body is not None)
    with tempfile.TemporaryDirectory(prefix="chainctl-run-") as directory:
        settings = settings_for(
            Path(graph.path), target="local", secrets_file=secrets, port=None if body else port
        )
        world = local_world(settings, Path(directory))
        decided = draft_settings(settings, None, has_builds=False)
        draft = draft_release(graph, decided, take_snapshot, world.vault)
        try:
            origin = origin_of(Path(graph.path))
            pushed = push(draft, world.backend, world.target, world.ledger, origin, console.emit, now)
            if body is None:
                _serve_until_interrupted(console, pushed.url, world.logs.logs(draft.chain, follow=True))
                return None
            return _called(pushed.url, body)
        except DeployError as error:
            raise _gone(error) from error
        finally:
            if body is not None:
                _show(world.logs.logs(draft.chain))
            down(draft.chain, world.target, world.ledger, Console(is_quiet=True).emit, now)


def _gone(error: DeployError) -> DeployError:
    """The error without its hint: there is no chain left whose log could be read."""
    return DeployError(error.message, details=error.details)


def _called(url: str, body: bytes) -> bytes:
    """Call the chain; an error is the chain's own here, and it is gone when the user reads of it."""
    try:
        return call(url, body).read()
    except CallFailedError as error:
        raise ChainctlError(error.message, details=error.details) from error


def _serve_until_interrupted(console: Console, url: str, lines: Iterator[LogLine]) -> None:
    console.stop()
    console.line("Serving until Ctrl-C.")
    sys.stdout.write(url + "\n")
    sys.stdout.flush()
    _show(lines)


def _show(lines: Iterator[LogLine]) -> None:
    for line in lines:
        sys.stderr.writelines(f"{line.chainlet} | {text}\n" for text in readable([line.text]))
        sys.stderr.flush()


def _in_one_process(
    graph: ChainGraph, file: ChainFile, body: bytes | None, fidelity: str, port: int, secrets: Path | None
) -> bytes | None:
    entrypoint = graph.chainlet(graph.entrypoint)
    external = [
        str(p) for s in graph.chainlets for p in s.remote_config.docker_image.external_package_dirs or ()
    ]
    request = {
        "paths": [str(file.root), str(file.path.parent), *external],
        "module": entrypoint.module,
        "qualname": entrypoint.qualname,
        "fidelity": fidelity,
        "secrets": _secret_values(graph, secrets),
        "body": None if body is None else body.decode(),
        "port": port,
    }
    answer = _child(request, {**os.environ, **_data_environ(graph, secrets)})
    return None if body is None else _checked(answer)


def _data_environ(graph: ChainGraph, secrets: Path | None) -> dict[str, str]:
    """Fetch the files that chainlets read, and say where they are. Raises DownloadError."""
    directory = Path(graph.path).parent
    wanted = [data for spec in graph.chainlets for data in data_of(spec.remote_config, directory)]
    if not wanted:
        return {}
    settings = settings_for(Path(graph.path), secrets_file=secrets)
    world = local_world(settings)
    source = downloads(state_dir(settings), world.vault)
    return {"CHAINCTL_DATA": json.dumps({data.name: str(source.get(data)) for data in wanted})}


def _secret_values(graph: ChainGraph, secrets: Path | None) -> dict[str, str]:
    """Values of declared secrets; one that is missing is an error when it is asked for, as deployed."""
    sources = secret_sources(settings_for(Path(graph.path), secrets_file=secrets))
    found = {name: sources.find(name) for name in secret_names(graph)}
    return {name: value.decode() for name, value in found.items() if value is not None}


def _child(request: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Run the child interpreter; its prints go to our stderr, its answer comes by a pipe."""
    reader, writer = os.pipe()
    command = [python_executable(), "-P", "-m", "chainctl.server.local", str(writer)]
    child = subprocess.Popen(  # our own module, in the interpreter that runs us
        command, stdin=subprocess.PIPE, stdout=sys.stderr.fileno(), pass_fds=[writer], env=dict(environ)
    )
    os.close(writer)
    assert child.stdin is not None
    with child.stdin as pipe:
        pipe.write(json.dumps(request).encode())
    try:
        with os.fdopen(reader, "rb") as answers:
            data = answers.read()
        found: dict[str, Any] = json.loads(data) if data else {}
        if "listening" in found:
            _say_where(str(found["listening"]))
        child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    return _usable(found, child.returncode)


def _say_where(url: str) -> None:
    Console().line("Serving until Ctrl-C.")
    sys.stdout.write(url + "\n")
    sys.stdout.flush()


def _usable(found: dict[str, Any], exit_code: int) -> dict[str, Any]:
    """The child's answer. Raises ChainctlError when it is that the chain cannot run."""
    if not found:
        raise ChainctlError(f"the chain ended its own process with exit code {exit_code}")
    if "refused" in found:
        raise UsageError(f"the port cannot be used: {found['refused']}", hint="choose another: `--port`.")
    if "failed" in found:
        first = found["failed"]
        raise ChainctlError(
            f"the chain cannot be created: {first['exception_cls_name']}: {first['exception_message']}",
            details=found["text"].splitlines(),
        )
    return found


def _checked(answer: dict[str, Any]) -> bytes:
    body = str(answer["body"])
    if answer["status"] == 200:
        return body.encode()
    error = json.loads(body)["error"]
    first, *rest = str(error["message"]).splitlines() or [""]
    raise ChainctlError(first, details=error_lines(error) or rest)
