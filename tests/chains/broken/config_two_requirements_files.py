# expect: CH0503 line 5
import chainctl as chains


IMAGE = chains.DockerImage(
    pip_requirements_file=chains.make_abs_path_here("a.txt"),
    requirements_file=chains.make_abs_path_here("b.txt"),
)


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=IMAGE)

    def run_remote(self) -> int:
        return 1
