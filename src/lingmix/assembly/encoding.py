"""The encoder that a command names, ready to encode."""

from pathlib import Path

from lingmix.cli.config import Config, build
from lingmix.model.embed import CachedEncoder, cached_encoder
from lingmix.model.precision import fastest_device, precision_of


def encoding_of(config: Config, folder: str) -> CachedEncoder:
    """The encoder in `folder`, on the fastest device; vectors are kept where `embeddings` says."""
    encoder = build(config["encoder"] | {"name": folder})(
        texts=(), cache=Path(config["output_dir"]) / "cache", seed=0
    )
    kept = config["embeddings"]
    return cached_encoder(
        encoder.to(fastest_device("auto")),
        name=config["encoder"]["name"],
        precision=precision_of(config["precision"]),
        folder=None if kept is None else Path(kept),
    )
