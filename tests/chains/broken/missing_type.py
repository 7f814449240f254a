# expect: CH0409 line 12
# expect: CH0409 line 12
import chainctl as chains


import torch


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["torch"]))

    def run_remote(self, image: torch.Tensor) -> torch.Tensor:
        return image
