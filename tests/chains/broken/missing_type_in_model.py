# expect: CH0409 line 14
import chainctl as chains


import pydantic
import torch


class Request(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    images: list[torch.Tensor]


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["torch"]))

    def run_remote(self, request: Request) -> int:
        return 1
