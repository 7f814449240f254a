# expect: CH0509 line 6
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(base_image=chains.BasetenImage.PY39),
    )

    def run_remote(self) -> int:
        return 1
