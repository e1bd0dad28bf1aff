"""The configuration that a command would compose, and what lingmix-train builds from it."""

from hydra import compose, initialize_config_dir

from lingmix.doors import CONF, Config, resolved


def configured(*overrides: str) -> Config:
    """Of lingmix-train."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolved(compose("train", overrides=list(overrides)))
