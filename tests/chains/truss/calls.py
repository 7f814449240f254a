"""Services that are called by hand: by URL with a stub, in both spellings, and in the chain with a handle."""

import json
import urllib.request

import pydantic
import truss_chains as chains
from truss_chains.remote_chainlet.truss_chainlet import TrussHandle


class Answer(pydantic.BaseModel):
    output: str


class Client(chains.StubBase):
    async def run_remote(self, prompt: str) -> str:
        older = await self._remote.predict_async(json_payload={"prompt": prompt})
        newer = await self.predict_async({"prompt": prompt}, output_model=Answer)
        return f"{older['output']} {newer.output}"


class Echo(chains.ChainletBase):
    async def run_remote(self, text: str) -> str:
        return text


@chains.mark_entrypoint
class Caller(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["baseten_chain_api_key"]))

    def __init__(
        self, echo=chains.depends(Echo), context: chains.DeploymentContext = chains.depends_context()
    ) -> None:
        self._echo = echo
        self._context = context

    def run_remote(self, url: str, prompt: str) -> str:
        import asyncio

        if url:
            options = chains.RPCOptions(retries=1, timeout_sec=20)
            return asyncio.run(Client.from_url(url, self._context, options).run_remote(prompt))
        try:
            address, headers = TrussHandle("Echo").http_call_args()
        except TypeError:
            return "no address"
        body = json.dumps({"text": prompt}).encode()
        request = urllib.request.Request(address, body, {**headers, "content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)
