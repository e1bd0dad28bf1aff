"""The small encoders of the tests of `model`."""

from tests.model.conftest import bert_folder, cache, load, unpackable_folder

__all__ = ["bert_folder", "cache", "load", "unpackable_folder"]
