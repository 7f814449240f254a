"""The Endpoints of a cluster in; their names, answered by dnsmasq at one address, out.

`python dns.py API CA TOKENS FOLDER ADDRESS`: a Service without an address has those of its ready pods, another one
its own. A part of a cluster for tests, where CoreDNS would be.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

DOMAIN = "svc.cluster.local"
_PERIOD_SEC = 0.3


def main(api: str, authority: str, tokens: str, folder: str, address: str) -> None:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    hosts = place / "hosts"
    hosts.write_text("")
    server = subprocess.Popen(
        [
            "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root", "--bind-interfaces",
            f"--listen-address={address}", "--except-interface=lo", f"--addn-hosts={hosts}", "--local-ttl=0",
            "--local=/cluster.local/", "--log-facility=-", f"--pid-file={place / 'pid'}", "--cache-size=10000",
        ]
    )  # fmt: skip
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    ask = _asking(api, authority, Path(tokens).read_text().partition(",")[0])
    said = ""
    while server.poll() is None and not over.wait(_PERIOD_SEC):
        try:
            now = hosts_of(ask("/api/v1/endpoints"), ask("/api/v1/services"))
        except OSError as error:
            sys.stderr.write(f"{error}\n")
            continue
        if now != said:
            said = now
            _replace(hosts, now)
            os.kill(server.pid, signal.SIGHUP)
    server.terminate()
    server.wait(10)


def hosts_of(endpoints: Any, services: Any) -> str:
    """Return the lines of a hosts file."""
    own = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"].get("clusterIP", "None")
        for one in services["items"]
    }
    lines = []
    for (namespace, name), address in own.items():
        if address not in ("", "None"):
            lines.append(f"{address} {name}.{namespace}.{DOMAIN}")
    for one in endpoints["items"]:
        key = one["metadata"]["namespace"], one["metadata"]["name"]
        if own.get(key) == "None":
            ready = [a["ip"] for part in one.get("subsets") or () for a in part.get("addresses") or ()]
            lines += [f"{ip} {key[1]}.{key[0]}.{DOMAIN}" for ip in ready]
    return "\n".join(sorted(lines)) + "\n"


def _asking(api: str, authority: str, token: str) -> Any:
    headers = {"authorization": f"Bearer {token}"}
    trusted = ssl.create_default_context(cafile=authority)

    def ask(path: str) -> Any:
        request = urllib.request.Request(api + path, headers=headers)
        with urllib.request.urlopen(request, timeout=5, context=trusted) as answer:
            return json.load(answer)

    return ask


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
