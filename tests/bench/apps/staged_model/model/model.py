"""Fetches for 100 ms, then computes for 100 ms with five places, both in threads."""

import time


class Model:
    def preprocess(self, number):
        time.sleep(0.1)
        return number

    def predict(self, number):
        time.sleep(0.1)
        return number
