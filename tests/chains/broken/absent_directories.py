# expect: CH0505 line 7
# expect: CH0505 line 7
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(
            data_dir=chains.make_abs_path_here("no_such_data"),
            external_package_dirs=[chains.make_abs_path_here("no_such_packages")],
        ),
    )

    def run_remote(self) -> int:
        return 1
