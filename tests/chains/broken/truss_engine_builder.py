# expect: CH1201 line 8
from typing import AsyncIterator

import truss_chains as chains
from truss.base import trt_llm_config, truss_config


class Llama(chains.EngineBuilderLLMChainlet):
    engine_builder_config = truss_config.TRTLLMConfiguration(
        build=trt_llm_config.TrussTRTLLMBuildConfiguration(
            base_model=trt_llm_config.TrussTRTLLMModel.LLAMA, max_seq_len=4096
        )
    )


@chains.mark_entrypoint
class Control(chains.ChainletBase):
    def __init__(self, llm: Llama = chains.depends(Llama)) -> None:
        self._llm = llm

    async def run_remote(self, prompt: str) -> AsyncIterator[str]:
        asked = chains.EngineBuilderLLMInput(messages=[{"role": "user", "content": prompt}])
        async for piece in self._llm.run_remote(asked):
            yield piece
