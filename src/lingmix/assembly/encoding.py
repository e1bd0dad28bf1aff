"""Loading of the encoder that a command names."""

from pathlib import Path

from lingmix.cli.config import Config, build
from lingmix.model.embed import CachedEncoder, cached_encoder
from lingmix.model.precision import fastest_device, precision_of


def load_cached_encoder(config: Config, folder: str) -> CachedEncoder:
    """Load the encoder in `folder` on the fastest device; `embeddings` is its cache of vectors."""
    encoder = build(config["encoder"] | {"name": folder})(
        texts=(), cache=Path(config["output_dir"]) / "cache", seed=0
    )
    embeddings = config["embeddings"]
    return cached_encoder(
        encoder.to(fastest_device("auto")),
        name=config["encoder"]["name"],
        precision=precision_of(config["precision"]),
        folder=None if embeddings is None else Path(embeddings),
    )
