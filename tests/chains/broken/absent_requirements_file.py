# expect: CH0505 line 6
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(requirements_file=chains.make_abs_path_here("no_such_file.txt")),
    )

    def run_remote(self) -> int:
        return 1
