"""The console commands: a sweep with nothing to run imports nothing that trains."""

from importlib import import_module

from omegaconf import DictConfig

from lingmix.doors import door


@door("train")
def train(config: DictConfig) -> str:
    return import_module("lingmix.train").train(config)


@door("evaluate")
def evaluate(config: DictConfig) -> str:
    return import_module("lingmix.evaluate").evaluate(config)
