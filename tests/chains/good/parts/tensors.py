import torch


def load() -> object:
    return torch.load("weights.pt")
