"""Praises people with words from a file, and tells a webhook of each release."""

import json
import os
import pathlib
import typing as t
import urllib.request

import chainctl as chains

words = chains.Download(
    "words",
    path="words.txt",
    sha256="5e9a0390daff53ea7b9e7b386b41f43d3756196317ab308fa6c02210c26c0d14",
    dest="/data/words",
)


@chains.mark_entrypoint("praise")
class Praise(chains.ChainletBase):
    """Gives a name one of the words."""

    remote_config = chains.RemoteConfig(
        compute=chains.Compute(memory="256Mi"), assets=chains.Assets(volumes=[words])
    )

    def __init__(self) -> None:
        self._words = pathlib.Path(words.location).read_text().split()

    async def run_remote(self, name: str) -> str:
        return f"{name} is {self._words[len(name) % len(self._words)]}"


class Notify(chains.Component):
    """Tells a webhook when a chain was released; without one it prints."""

    chain: chains.Component
    channel: str
    render: t.Callable[[chains.Component], str] | None = None

    def setup(self) -> None:
        self.url = os.environ.get("NOTIFY_URL")

    def cleanup(self) -> None:
        self._send(f"{self.chain.identifier} is gone")

    @chains.trigger("apply")
    def start(self) -> str:
        return self._send(f"{self.chain.identifier} was released")

    @chains.trigger("apply", depends_on="start", requires="render")
    def detail(self) -> str:
        return self._send(self.render(self.chain))

    def _send(self, text: str) -> str:
        if self.url:
            body = json.dumps({"channel": self.channel, "text": text}).encode()
            request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
            urllib.request.urlopen(request, timeout=10).close()
        else:
            print(f"{self.channel}: {text}")
        return text


smoke = chains.SmokeTest("smoke", chain=chains.this_chain(), payload={"name": "Ada"}, expect="Ada is patient")
notify = Notify(
    "ops", chain=smoke.chain, channel="#ops", render=lambda chain: f"it is release {chain.release}"
)
