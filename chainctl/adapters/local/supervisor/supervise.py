"""A run directory in, its chain supervised until a request or a signal ends it."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import signal
from pathlib import Path

import uvloop

from chainctl.adapters.local.orphans import kill_processes_of
from chainctl.adapters.local.supervisor.chain_run import ChainRun
from chainctl.adapters.local.supervisor.control import Control
from chainctl.adapters.local.supervisor.settings import RunSettings, read_settings

_LOOK_SEC = 1.0
_log = logging.getLogger("chainctl.supervisor")


def supervise(run_directory: Path, ready: int) -> None:
    """Supervise, unless another supervisor does. Writes to `ready` once requests are answered."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = read_settings(run_directory)
    lock = os.open(settings.run.lock, os.O_RDWR | os.O_CREAT, 0o600)
    if not _is_ours(lock):
        _log.info("another supervisor is here already")
        os.write(ready, b"other")
        return
    kill_processes_of(settings.run.runtime)
    _clear(settings.run.sockets)
    _clear(settings.run.secrets)
    uvloop.run(_serve(settings, ready))


def _clear(directory: Path) -> None:
    """Remove what services of an earlier supervisor, which was killed, have left; none of them runs."""
    for path in directory.iterdir() if directory.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_ours(lock: int) -> bool:
    """Take the lock; the kernel gives it back when this process ends, however it ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _serve(settings: RunSettings, ready: int) -> None:
    run = ChainRun(settings)
    control = Control(run)
    server = await control.open(settings.run.control)
    _end_on_signal(control)
    os.write(ready, b"ready")
    os.close(ready)
    _log.info("supervising %s", settings.run.chain)
    watch = asyncio.create_task(_end_on_loss(control, settings.run.control))
    await control.finished.wait()
    watch.cancel()
    server.close()
    await run.shut_down()
    settings.run.control.unlink(missing_ok=True)


async def _end_on_loss(control: Control, path: Path) -> None:
    """End when the runtime directory was removed, as some systems do at logout: nobody can ask us."""
    while path.exists():
        await asyncio.sleep(_LOOK_SEC)
    _log.warning("the control socket is gone")
    control.finished.set()


def _end_on_signal(control: Control) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, control.finished.set)
