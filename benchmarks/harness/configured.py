"""The configuration that a command would compose, and what lingmix-train builds from it."""

from hydra import compose, initialize_config_dir

from lingmix.cli.config import CONF, Config, resolved

SMALL = [
    "encoder=static",
    "encoder.scratch.sparse=true",
    "encoder.scratch.dimension=8",
    "encoder.scratch.vocabulary=500",
    "optimizer=sparse_adam",
    "languages=[en,de]",
    "data.sets.cldr.languages=[en,de]",
    "data.development=null",
    "trainer.gradient_clip_val=null",
    "sampler.batch_size=8",
    "tracking.code=benchmark",
]
"""A training of two languages of the embedded data whose steps take no time."""


def configured(*overrides: str) -> Config:
    """Of lingmix-train."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolved(compose("train", overrides=list(overrides)))
