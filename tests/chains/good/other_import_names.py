import cv2
import PIL.Image
import sklearn
import yaml

import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(
            pip_requirements=["opencv-python", "Pillow==10.3", "scikit_learn", "PyYAML ; python_version > '3'"],
        )
    )

    def run_remote(self) -> int:
        return len([cv2, PIL, sklearn, yaml])
