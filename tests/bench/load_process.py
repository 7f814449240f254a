"""Jobs in, outcomes out: the load process, kept alive over a run."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType

from tests.bench.jobs import Job, Outcome
from tests.bench.peers.peer import ROOT


class LoadProcess:
    """One client process for all peers."""

    def __enter__(self) -> LoadProcess:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def measure(self, job: Job) -> Outcome:
        """Run a job. Raises RuntimeError when the process died."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(job.line() + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("the load process ended")
        return Outcome.of_line(line)
