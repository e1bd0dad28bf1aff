"""What makes two runs the same run.

Two runs are the same, and have the same hash, if these are equal:

- every key of the configuration that can change a result, whatever way it is written: 1 is 1.0, the
  order of `languages` and `pairs` is none, and listing all of them is `all` where the sources name
  their languages. Keys that say where a result is written and how it is shown do not count
  (`DECIDES_NOTHING`), nor does `augmentation.seed` where nothing is augmented;
- what is read: a file or folder counts by what it holds and not by where it lies (see `contents`),
  a checkpoint by its weights and the encoder beside it, a Hugging Face model by its commit,
  embedded data by the version of the package that brings it;
- the code, which `tracking.code` may name;
- the versions of the libraries that compute (see `versions`), which `tracking.versions` may name.

Hardware is not among them: a run is not repeated because another machine is there. It is recorded,
and reports keep runs of different hardware apart.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingmix.model.hub import CHECKPOINT, ENCODER_FOLDER, RUNS, commit_of
from lingmix.tracking.code import code_version, git_tags
from lingmix.tracking.contents import content_of, is_path
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.secrets import mask_all_secrets
from lingmix.tracking.store.limits import TAG_LENGTH
from lingmix.tracking.versions import counted_versions, in_words, installed

HASH = "lingmix.config_hash"
"""Tag: what two runs share that are the same run."""

ASKED, CODE, DATA, RAN = "lingmix.asked", "lingmix.code", "lingmix.data", "lingmix.ran"
CONTENTS, VERSIONS = "lingmix.contents", "lingmix.versions"
"""Tags: digests of the configuration as it was written and of what is read, the code that a run
counts as and the code that ran it; what is read by key, and the libraries."""

DECIDES_NOTHING = (
    "name",
    "output_dir",
    "data_dir",
    "download_dir",
    "embeddings",
    "tracking",
    "noise_scale_window",
    "checkpoint",
    "run_files",
    "data.allow_overlap",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.log_every_n_steps",
)
"""Keys that change no result: where it is written, how it is shown and what is allowed."""

EMBEDDED = {"lingmix.data.sources.cldr": "babel"}
"""Sources whose data a package brings along."""


@dataclass(frozen=True)
class RunIdentity:
    """What tells a run apart, made once when its command starts.

    `tags` are those that it is found again by; `configuration` is what the hash is of beside code
    and versions, as plain values by dotted key, without secrets.
    """

    tags: Mapping[str, str]
    configuration: Mapping[str, Any]

    @property
    def hash(self) -> str:
        return self.tags[HASH]


def decides(key: str) -> bool:
    """Whether the value of a dotted key can change a run's result."""
    free = any(key == one or key.startswith(f"{one}.") for one in DECIDES_NOTHING)
    return not free and not key.endswith(".download_dir")  # revisions and checksums decide


def config_hash(config: Mapping[str, Any]) -> str:
    """Of everything that decides the result and nothing that does not."""
    return identify(config).hash


def deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the hash is of beside code and versions, as plain values by dotted key."""
    return _counted(_asked(config))


def identify(config: Mapping[str, Any]) -> RunIdentity:
    """Reads the files that the configuration names. The tags also tell the run from one that was
    asked for in the same words, but is of other code, data or libraries."""
    flat, asked = leaves(config), _asked(config)
    code, versions = str(flat.get("tracking.code") or code_version()), counted_versions(flat)
    counted = _counted(asked)
    read = {key: value for key, value in counted.items() if value not in (None, asked.get(key))}
    tags = {
        HASH: _digest({"config": counted, "code": code, "versions": versions}),
        ASKED: _digest(asked),
        CODE: code,
        DATA: _digest(read),
        CONTENTS: _contents(read),
        VERSIONS: in_words(versions),
    }
    return RunIdentity(tags, mask_all_secrets(counted))


def provenance() -> dict[str, str]:
    """Tags of the code that runs here, whatever code a run counts as."""
    return {RAN: code_version(), **git_tags()}


def _digest(values: object) -> str:
    return hashlib.sha256(_text(values).encode()).hexdigest()[:16]


def _text(values: object) -> str:
    return json.dumps(values, sort_keys=True, default=str)


def _contents(read: Mapping[str, Any]) -> str:
    """By key, so that a reader sees which of them has changed."""
    text = _text({key: _short(value) for key, value in read.items()})
    return text if len(text) <= TAG_LENGTH else _text({"data": _digest(read)})


def _short(value: object) -> str:
    text = value if isinstance(value, str) else _digest(value)
    return text[:12] if len(text) == hashlib.sha256().digest_size * 2 else text


def _asked(config: Mapping[str, Any]) -> dict[str, Any]:
    flat = leaves(config)
    values = json.loads(_text({key: _plain(flat[key]) for key in flat if decides(key)}))
    if values.get("augmentation.scale") == 0:
        values.pop("augmentation.seed", None)
    return values | _choices(values)


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _choices(values: Mapping[str, Any]) -> dict[str, Any]:
    """`languages` and `pairs` in one order, or `all` where that is what they list."""
    listed: dict[str, Any] = {
        key: sorted({*map(str, values[key])})
        for key in ("languages", "pairs")
        if isinstance(values.get(key), list)
    }
    sources = _languages(values)
    training = [some for node, some in sources.items() if node.startswith("data.train.")]
    known = _union(training or sources.values())
    within = {*listed["languages"]} if "languages" in listed else known
    if within and {*listed.get("pairs", ())} == {f"{a}-{b}" for a in within for b in within}:
        listed["pairs"] = "all"
    if within and within == known == _union(sources.values()):
        listed["languages"] = "all"
    return listed


def _languages(values: Mapping[str, Any]) -> dict[str, set[str]]:
    """What each source and evaluation set names as its `languages`; empty for one that does not."""
    found = {}
    for key in values:
        node, _, last = key.rpartition(".")
        if last == "_target_" and key.startswith(("data.", "evaluation.")):
            named = f"{node}.languages"
            keys = {one.removeprefix(f"{named}.") for one in values if one.startswith(f"{named}.")}
            found[node] = keys or {*map(str, values.get(named) or ())}
    return found


def _union(sets: Iterable[set[str]]) -> set[str]:
    """Empty where one of them is."""
    found = [*sets]
    return set().union(*found) if all(found) else set()


def _counted(asked: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: _read(key, value, asked) for key, value in asked.items()}
    return values | _encoder(asked) | _embedded(asked)


def _read(key: str, value: object, asked: Mapping[str, Any]) -> object:
    """What a file or folder holds, where the value names one."""
    if isinstance(value, list):
        return [_read(key, one, asked) for one in value]
    return _held(str(value)) if is_path(key, value, asked) else value


def _held(place: str) -> str:
    path = Path(place).expanduser()
    return content_of(path) if path.exists() else place


def _encoder(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What stands behind `encoder.name`. The name itself is all there is to say of an encoder that
    starts from scratch, of a lexical one and of a recorded run's model, which never changes."""
    name = asked.get("encoder.name")
    if not isinstance(name, str):
        return {}
    loaded = asked.get("encoder.scratch", "") is None
    if not loaded or name.startswith(RUNS):
        return {"encoder.name": name}
    path = Path(name).expanduser()
    if name.endswith(CHECKPOINT):
        return {"encoder.name": [_held(name), _held(str(path.with_name(ENCODER_FOLDER)))]}
    if path.exists():
        return {"encoder.name": content_of(path)}
    try:
        commit = commit_of(name, asked.get("encoder.revision"))
    except (OSError, ValueError):  # whoever loads it says what is wrong
        return {"encoder.name": name}
    return {"encoder.name": f"{name}@{commit}", "encoder.revision": None}


def _embedded(asked: Mapping[str, Any]) -> dict[str, str]:
    """Versions of the packages that bring the data of a source along, by `<source>._package_`."""
    targets = {key: str(value) for key, value in asked.items() if key.endswith("._target_")}
    return {
        f"{key.removesuffix('._target_')}._package_": f"{package} {installed(package)}"
        for key, target in targets.items()
        for source, package in EMBEDDED.items()
        if target.startswith(source)
    }
