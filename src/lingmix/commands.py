"""The console commands: a sweep with nothing to run imports nothing that trains.

Variables that Lightning reads when it is imported are looked at before.
"""

from importlib import import_module

from omegaconf import DictConfig

from lingmix.doors import door
from lingmix.launchers import launcher


@door("train")
def train(config: DictConfig) -> str:
    launcher()
    return import_module("lingmix.train").train(config)


@door("evaluate")
def evaluate(config: DictConfig) -> str:
    launcher()
    return import_module("lingmix.evaluate").evaluate(config)
