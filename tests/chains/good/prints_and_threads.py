import atexit
import subprocess
import sys
import threading

import chainctl as chains

print("to stdout")
print("to stderr", file=sys.stderr)
atexit.register(threading.Event().wait)
threading.Thread(target=threading.Event().wait).start()
subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(1)"])


class A(chains.ChainletBase):
    """The child's answer does not wait for what loading the file leaves running."""

    def run_remote(self) -> int:
        return 1
