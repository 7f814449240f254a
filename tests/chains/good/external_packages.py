import toolbox

import chainctl as chains


class Light(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(external_package_dirs=[chains.make_abs_path_here("parts/external")]),
    )

    def run_remote(self) -> int:
        return int(toolbox.ANSWER)
