"""A chain to run in one process in; an answer, or a chain that serves until interrupted, out."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainctl.adapters.edits import Edits
from chainctl.adapters.local.paths import cache_below
from chainctl.adapters.local.process_env import caching
from chainctl.cli.console import Console
from chainctl.cli.local_requirements import require_installed
from chainctl.cli.run_wish import RELOADED, UNCHANGED, LoadedRun, RunWish, edited_line, load_run
from chainctl.cli.surroundings import downloads, python_executable, secret_sources, settings_for, state_dir
from chainctl.cli.worlds import local_world
from chainctl.deploy.compose_release import cache_of, data_of, secret_names
from chainctl.errors import ChainctlError, UsageError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.error_lines import error_lines


def run_in_one_process(wish: RunWish, loaded: LoadedRun) -> bytes | None:
    """Run the chain in a child interpreter, which creates all chainlets. Raises ChainctlError."""
    require_installed(loaded.graph, otherwise=_OTHERWISE)
    if wish.reloads:
        _serve_and_reload(wish, loaded)
    child = Child(_request(wish, loaded), _environ(wish, loaded))
    try:
        answer = child.answer()
        if "listening" in answer:
            _say_where(answer)
        child.wait()
    except KeyboardInterrupt:
        child.end()
        raise
    return None if wish.body is None else _checked(answer)


class Child:
    """The child interpreter; its prints go to our stderr, its one answer comes by a pipe."""

    def __init__(self, request: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        reader, writer = os.pipe()
        command = [python_executable(), "-P", "-m", "chainctl.server.local", str(writer)]
        self._process = subprocess.Popen(  # our own module, in the interpreter that runs us
            command, stdin=subprocess.PIPE, stdout=sys.stderr.fileno(), pass_fds=[writer], env=dict(environ)
        )
        os.close(writer)
        self._answers = os.fdopen(reader, "rb")
        assert self._process.stdin is not None
        with self._process.stdin as pipe:
            pipe.write(json.dumps(request).encode())

    def answer(self) -> dict[str, Any]:
        """Wait for the answer: that of the chain, or that it listens. Raises ChainctlError when it cannot run."""
        with self._answers as answers:
            data = answers.read()
        found: dict[str, Any] = json.loads(data) if data else {}
        if not found or "refused" in found or "failed" in found:
            self.wait()
        return _usable(found, self._process.returncode or 0)

    def wait(self) -> None:
        self._process.wait()

    def end(self) -> None:
        """Let requests under way finish, then be gone."""
        self._process.terminate()
        self._process.wait()


def _serve_and_reload(wish: RunWish, loaded: LoadedRun) -> None:
    """Serve until interrupted; after an edit in a new child, once that can: until then the old one serves."""
    _require_free(wish.port)
    watched = Edits(loaded.graph)
    child, answer = _started(wish, loaded)
    try:
        _say_where(answer)
        while True:
            child = _reloaded(wish, watched, child)
    finally:
        child.end()


def _reloaded(wish: RunWish, watched: Edits, child: Child) -> Child:
    console = Console()
    console.line(edited_line(watched.wait()))
    try:
        loaded = load_run(wish)
        watched.follow(loaded.graph)
        require_installed(loaded.graph, otherwise=_OTHERWISE)
        younger, _ = _started(wish, loaded)
    except ChainctlError as error:
        console.failure(error)
        console.line(UNCHANGED)
        return child
    try:
        child.end()
    except BaseException:  # we are to end as well, while the older one finishes its requests
        younger.end()
        raise
    console.line(RELOADED)
    return younger


def _started(wish: RunWish, loaded: LoadedRun) -> tuple[Child, dict[str, Any]]:
    child = Child(_request(wish, loaded), _environ(wish, loaded))
    try:
        return child, child.answer()
    except BaseException:
        child.end()
        raise


def _require_free(port: int) -> None:
    """Children of one run share its port; that of somebody else must not be shared. Raises UsageError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise _refused(error.strerror or str(error)) from error


def _request(wish: RunWish, loaded: LoadedRun) -> dict[str, Any]:
    graph, file = loaded.graph, ChainFile.parse(wish.file)
    entrypoint = graph.chainlet(graph.entrypoint)
    external = [
        str(p) for s in graph.chainlets for p in s.remote_config.docker_image.external_package_dirs or ()
    ]
    others = (str(fake.file.root) for fake in wish.replacements.fakes)
    return {
        "paths": list(dict.fromkeys([str(file.root), str(file.path.parent), *external, *others])),
        "module": entrypoint.module,
        "qualname": entrypoint.qualname,
        "truss_config": entrypoint.truss_config,
        "fidelity": wish.fidelity,
        "secrets": _secret_values(graph, wish.secrets),
        "body": None if wish.body is None else wish.body.decode(),
        "port": wish.port,
        "urls": dict(wish.replacements.urls),
        "fakes": {spec.name: (spec.module, spec.qualname) for spec in loaded.fakes},
        "shares_port": wish.reloads,
    }


_OTHERWISE = ", or have an environment made of them: `--fidelity isolated`"


def _environ(wish: RunWish, loaded: LoadedRun) -> Mapping[str, str]:
    graph = loaded.graph
    model = graph.chainlet(graph.entrypoint)
    return {
        **os.environ,
        **(model.remote_config.options.env_variables if model.truss_config is not None else {}),
        **_data_environ(graph, wish.secrets),
        **_cache_environ(graph, wish.secrets),
    }


def _cache_environ(graph: ChainGraph, secrets: Path | None) -> dict[str, str]:
    """Say where models keep what they fetch: it outlives the run."""
    cache = next(filter(None, map(cache_of, graph.chainlets)), None)
    if cache is None:
        return {}
    caches = state_dir(settings_for(Path(graph.path), secrets_file=secrets)) / "caches"
    return caching(cache_below(caches, graph.chain, cache.name), graph.entrypoint)


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


def _say_where(answer: Mapping[str, Any]) -> None:
    Console().line("Serving until Ctrl-C.")
    sys.stdout.write(f"{answer['listening']}\n")
    sys.stdout.flush()


def _usable(found: dict[str, Any], exit_code: int) -> dict[str, Any]:
    """The child's answer. Raises ChainctlError when it is that the chain cannot run."""
    if not found:
        raise ChainctlError(f"the chain ended its own process with exit code {exit_code}")
    if "refused" in found:
        raise _refused(found["refused"])
    if "failed" in found:
        first = found["failed"]
        raise ChainctlError(
            f"the chain cannot be created: {first['exception_cls_name']}: {first['exception_message']}",
            details=found["text"].splitlines(),
        )
    return found


def _refused(why: str) -> UsageError:
    return UsageError(f"the port cannot be used: {why}", hint="choose another: `--port`.")


def _checked(answer: dict[str, Any]) -> bytes:
    body = str(answer["body"])
    if answer["status"] < 300:
        return body.encode()
    error = json.loads(body)["error"]
    first, *rest = str(error["message"]).splitlines() or [""]
    raise ChainctlError(first, details=error_lines(error) or rest)
