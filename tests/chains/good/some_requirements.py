import modelling_kit
import torchvision

import chainctl as chains


class A(chains.ChainletBase):
    """Its imports come from requirements that do not say so by name, or from ones that are named otherwise."""

    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(
            requirements_file=chains.make_abs_path_here("data/requirements.txt"),
        )
    )

    def run_remote(self) -> int:
        return len(dir(modelling_kit)) + len(dir(torchvision))
