"""Methods that are called like stages and are none, as only chainctl knows such."""

import truss_chains as chains


@chains.mark_entrypoint
class Shout(chains.ChainletBase):
    def preprocess(self, text: str) -> str:
        return text.strip()

    def postprocess(self, text: str, mark: str) -> str:
        return text + mark

    async def run_remote(self, text: str) -> str:
        return self.postprocess(self.preprocess(text).upper(), "!")
