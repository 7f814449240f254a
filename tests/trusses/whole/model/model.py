"""A model that uses most of what a directory may have."""

import os

import numpy as np
from helpers import shout
from model.parts import joined


class Model:
    def __init__(self, config, data_dir, secrets, environment=None, **kwargs):
        self._config = config
        self._data_dir = data_dir
        self._secrets = secrets
        self._environment = environment

    def load(self):
        self._word = (self._data_dir / "words.txt").read_text().strip()
        self._weights = np.ones(3, dtype=np.float32)

    def preprocess(self, inputs):
        return {**inputs, "name": shout(inputs["name"])}

    async def predict(self, inputs):
        if "array" in inputs:
            return {"doubled": inputs["array"] * 2}
        return joined(os.environ["GREETING"], self._word, inputs["name"])

    def postprocess(self, result):
        if not isinstance(result, str):
            return result
        return {
            "text": result,
            "word": self._secrets["whole_word"],
            "weights": self._weights,
            "concurrency": self._config["runtime"]["predict_concurrency"],
            "name": self._config["model_name"],
        }
