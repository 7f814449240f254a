# expect: CH0409 line 15
import chainctl as chains


import dataclasses

import torch


@dataclasses.dataclass
class Result:
    image: torch.Tensor


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["torch"]))

    async def run_remote(self) -> list[Result]:
        return []
