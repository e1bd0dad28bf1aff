"""The identity of a run: when two runs count as the same.

Two runs are the same, and have the same hash, if these are equal:

- every key of the configuration that can change a result, whatever way it is written: 1 is 1.0, the
  order of `languages` and `pairs` is none, and listing all of them is `all` where the sources name
  their languages. Keys that say where a result is written and how it is shown do not count
  (`deciding.DECIDES_NOTHING`), nor does `augmentation.seed` where nothing is augmented;
- what is read: a file or folder counts by what it holds and not by where it lies (see `contents`),
  a checkpoint by its weights and the encoder beside it, a Hugging Face model by its commit,
  embedded data by the version of the package that brings it;
- the code, which `tracking.code` may name;
- the versions of the libraries that compute (see `versions`), which `tracking.versions` may name.

Hardware is not among them: a run is not repeated because another machine is there. It is recorded,
and reports never average runs of different hardware.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingmix.model.hub import CHECKPOINT, ENCODER_FOLDER, RUNS, commit_of
from lingmix.tracking.code import code_version, git_tags
from lingmix.tracking.contents import content_digest, is_path
from lingmix.tracking.deciding import decides
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.secrets import mask_all_secrets
from lingmix.tracking.store.limits import TAG_LENGTH
from lingmix.tracking.versions import format_versions, identity_versions, installed

HASH = "lingmix.config_hash"
"""Tag: the hash that two runs share if they are the same run."""

ASKED, CODE, DATA, RAN = "lingmix.asked", "lingmix.code", "lingmix.data", "lingmix.ran"
CONTENTS, VERSIONS = "lingmix.contents", "lingmix.versions"
"""Tags: a digest of the settings, the code that a run counts as, a digest of what it reads, the
code that ran it; digests of what is read by key, and the versions of libraries."""

TRAINING = ("data.sets.", "data.train.")
"""What the keys of sources of training data begin with."""

EMBEDDED = {"lingmix.data.sources.cldr": "babel"}
"""Sources whose data are part of a package, and the package."""


@dataclass(frozen=True)
class RunIdentity:
    """The identity of a run, computed once when its command starts.

    `tags` are those that the run is found by. `configuration` is what is hashed beside code and
    versions: plain values by dotted key, without secrets.
    """

    tags: Mapping[str, str]
    configuration: Mapping[str, Any]

    @property
    def hash(self) -> str:
        return self.tags[HASH]


def config_hash(config: Mapping[str, Any]) -> str:
    """Return the hash of everything that decides a run's result."""
    return identify(config).hash


def deciding_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is hashed beside code and versions: plain values by dotted key."""
    return _identifying(_settings(config), notes_of(config))


def notes_of(config: Mapping[str, Any]) -> Path | None:
    """Return the folder with the digests of large files; None without an output folder."""
    folder = config.get("output_dir")
    return Path(folder, "cache", "digests") if folder else None


def identify(config: Mapping[str, Any]) -> RunIdentity:
    """Return the identity of a run; reads the files that the configuration names.

    The tags also distinguish runs of the same settings, but of other code, data or libraries.
    """
    flat, settings = leaves(config), _settings(config)
    code, versions = str(flat.get("tracking.code") or code_version()), identity_versions(flat)
    hashed = _identifying(settings, notes_of(config))
    read = {key: value for key, value in hashed.items() if value not in (None, settings.get(key))}
    tags = {
        HASH: _digest({"config": hashed, "code": code, "versions": versions}),
        ASKED: _digest(settings),
        CODE: code,
        DATA: _digest(read),
        CONTENTS: _contents(read),
        VERSIONS: format_versions(versions),
    }
    return RunIdentity(tags, mask_all_secrets(hashed))


def provenance() -> dict[str, str]:
    """Return tags of the code that runs here, whatever code the run counts as."""
    return {RAN: code_version(), **git_tags()}


def _digest(values: object) -> str:
    return hashlib.sha256(_text(values).encode()).hexdigest()[:16]


def _text(values: object) -> str:
    return json.dumps(values, sort_keys=True, default=str)


def _contents(read: Mapping[str, Any]) -> str:
    """The digests by key, so that a reader sees which file has changed."""
    text = _text({key: _short(value) for key, value in read.items()})
    return text if len(text) <= TAG_LENGTH else _text({"data": _digest(read)})


def _short(value: object) -> str:
    text = value if isinstance(value, str) else _digest(value)
    return text[:12] if len(text) == hashlib.sha256().digest_size * 2 else text


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    values = json.loads(_text({k: _plain(v) for k, v in leaves(config).items() if decides(k)}))
    if values.get("augmentation.scale") == 0:
        values.pop("augmentation.seed", None)
    if values.get("branch_from") is None:
        values.pop("branch_from", None)
    return values | _choices(values)


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _choices(values: Mapping[str, Any]) -> dict[str, Any]:
    """`languages` and `pairs` in one order, or `all` where that is what they list."""
    listed: dict[str, Any] = {
        key: sorted({*map(str, values[key])})
        for key in ("languages", "pairs")
        if isinstance(values.get(key), list)
    }
    sources = _languages(values)
    training = [some for node, some in sources.items() if node.startswith(TRAINING)]
    known = _union(training or sources.values())
    within = {*listed["languages"]} if "languages" in listed else known
    if within and {*listed.get("pairs", ())} == {f"{a}-{b}" for a in within for b in within}:
        listed["pairs"] = "all"
    if within and within == known == _union(sources.values()):
        listed["languages"] = "all"
    return listed


def _languages(values: Mapping[str, Any]) -> dict[str, set[str]]:
    """The `languages` of each source and evaluation set; empty where they are not stated."""
    found = {}
    for key in values:
        node, _, last = key.rpartition(".")
        if last == "_target_" and key.startswith(("data.", "evaluation.")):
            named = f"{node}.languages"
            keys = {
                path.removeprefix(f"{named}.") for path in values if path.startswith(f"{named}.")
            }
            found[node] = keys or {*map(str, values.get(named) or ())}
    return found


def _union(sets: Iterable[set[str]]) -> set[str]:
    """The union of the sets; empty where one of them is."""
    found = [*sets]
    return set().union(*found) if all(found) else set()


def _identifying(settings: Mapping[str, Any], notes: Path | None) -> dict[str, Any]:
    values = {key: _read_contents(key, value, settings, notes) for key, value in settings.items()}
    return values | _encoder(settings, notes) | _embedded(settings)


def _read_contents(
    key: str, value: object, settings: Mapping[str, Any], notes: Path | None
) -> object:
    """The value; a digest of the contents where it names a file or folder."""
    if isinstance(value, list):
        return [_read_contents(key, part, settings, notes) for part in value]
    return _content(str(value), notes) if is_path(key, value, settings) else value


def _content(place: str, notes: Path | None) -> str:
    path = Path(place).expanduser()
    return content_digest(path, notes=notes) if path.exists() else place


def _encoder(settings: Mapping[str, Any], notes: Path | None) -> dict[str, Any]:
    """What `encoder.name` refers to: the contents of a folder or checkpoint, a commit on the hub.

    The name itself identifies an encoder from scratch, a lexical one, and the model of a recorded
    run, which never changes.
    """
    name = settings.get("encoder.name")
    if not isinstance(name, str):
        return {}
    loaded = settings.get("encoder.scratch", "") is None
    if not loaded or name.startswith(RUNS):
        return {"encoder.name": name}
    path = Path(name).expanduser()
    if name.endswith(CHECKPOINT):
        parts = (name, str(path.with_name(ENCODER_FOLDER)))
        return {"encoder.name": [_content(one, notes) for one in parts]}
    if path.exists():
        return {"encoder.name": content_digest(path, notes=notes)}
    try:
        commit = commit_of(name, settings.get("encoder.revision"))
    except (OSError, ValueError):  # loading the encoder reports what is wrong
        return {"encoder.name": name}
    return {"encoder.name": f"{name}@{commit}", "encoder.revision": None}


def _embedded(settings: Mapping[str, Any]) -> dict[str, str]:
    """Versions of the packages that contain the data of a source, by `<source>._package_`."""
    targets = {key: str(value) for key, value in settings.items() if key.endswith("._target_")}
    return {
        f"{key.removesuffix('._target_')}._package_": f"{package} {installed(package)}"
        for key, target in targets.items()
        for source, package in EMBEDDED.items()
        if target.startswith(source)
    }
