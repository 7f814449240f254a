# expect: CH0505 line 8
# expect: CH0505 line 8
# expect: CH0505 line 8
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(
            data_dir=chains.make_abs_path_here("empty.py"),
            external_package_dirs=[chains.make_abs_path_here("hanging.py")],
            requirements_file=chains.make_abs_path_here("."),
        ),
    )

    def run_remote(self) -> int:
        return 1
