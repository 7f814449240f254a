# expect: CH0409 line 18
# expect: CH0409 line 19
# expect: CH0409 line 20
# expect: CH0409 line 21
import chainctl as chains


from typing import Optional

import torch


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["torch"]))

    def run_remote(
        self,
        one: Optional[torch.Tensor],
        two: "list[torch.Tensor]",
        three: dict[str, tuple[int, torch.Tensor]],
        four: torch.Tensor | None = None,
    ) -> int:
        return 1
