"""Equal hash, equal result; other result, other hash: the rule of `identity`, change by change."""

from importlib.metadata import PackageNotFoundError, version

import huggingface_hub.constants
import numpy as np
import pytest

from lingmix.cli.config import evaluation_sets, resolved
from lingmix.data.items import Item
from lingmix.errors import InputError
from lingmix.model.hub import commit_of
from lingmix.tracking import contents, versions
from lingmix.tracking.history import changes
from lingmix.tracking.identity import VERSIONS, config_hash, identify
from lingmix.tracking.versions import identity_versions
from tests.columns import training_pairs
from tests.tracking.test_identity import record

MODEL = "somebody/some-bert"
LANGUAGES = "[ar,de,el,en,es,hi,ru,th,tr,vi,zh]"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A home with data, models and a checkpoint; two commits of a model fetched before."""
    for file in (
        "pairs.jsonl",
        "beir/corpus.jsonl",
        "beir/qrels/test.tsv",
        "apart/queries.jsonl",
        "m/weights",
        "run/last.ckpt",
        "run/encoder/config.json",
        "hub/models--somebody--some-bert/snapshots/" + "a" * 40 + "/config.json",
        "hub/models--somebody--some-bert/snapshots/" + "b" * 40 + "/config.json",
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")
    (tmp_path / "beir" / "more").symlink_to(tmp_path / "apart")
    (tmp_path / "apart" / "loop").symlink_to(tmp_path / "beir")
    refs = tmp_path / "hub" / "models--somebody--some-bert" / "refs"
    refs.mkdir()
    for name, letter in (("main", "a"), ("v1", "a"), ("v2", "b")):
        (refs / name).write_text(letter * 40)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    forget()
    yield tmp_path
    forget()


def forget():
    commit_of.cache_clear()
    contents._content.cache_clear()
    versions.installed.cache_clear()


def write(file, text="two"):
    def change(place, _):
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text(text)

    return change


def upgrade(library):
    def change(_, monkeypatch):
        monkeypatch.setattr(
            versions, "version", lambda name: "99.1" if name == library else version(name)
        )

    return change


def of_gpu(_, monkeypatch):
    """FAISS is installed as the distribution that computes on a GPU."""

    def found(name):
        if name == "faiss-cpu":
            raise PackageNotFoundError(name)
        return version("faiss-cpu" if name == "faiss-gpu" else name)

    monkeypatch.setattr(versions, "version", found)


def move_main(place, _):
    ref = place / "hub" / "models--somebody--some-bert" / "refs" / "main"
    ref.write_text("b" * 40)


def call_a_folder_so(name):
    def change(place, monkeypatch):
        write(f"{name}/file")(place, monkeypatch)
        monkeypatch.chdir(place)

    return change


BEIR = ["evaluation=beir", "evaluation.folder='~/beir'", "languages=[en,de]"]
PAIRS = ["data=pairs", "data.path='~/pairs.jsonl'", "augmentation=none"]
HUB = ["encoder=pretrained", f"encoder.name={MODEL}"]
OWN = ["encoder=pretrained", "encoder.name='~/m'"]
STATE = ["encoder=pretrained", "encoder.name='~/run/last.ckpt'"]

OTHER = {
    "content of an encoder in the home folder": ("train", OWN, write("m/weights")),
    "a file more in it": ("train", OWN, write("m/1_Pooling/config.json")),
    "content of a linked folder": ("train", BEIR, write("apart/queries.jsonl")),
    "weights of a checkpoint": ("evaluate", STATE, write("run/last.ckpt")),
    "the encoder beside a checkpoint": ("evaluate", STATE, write("run/encoder/config.json")),
    "the main branch of a model": ("evaluate", HUB, move_main),
    "content of a pairs file": ("train", PAIRS, write("pairs.jsonl")),
    "torch": ("train", [], upgrade("torch")),
    "transformers": ("train", [], upgrade("transformers")),
    "tokenizers": ("train", [], upgrade("tokenizers")),
    "torch of an evaluation": ("evaluate", HUB, upgrade("torch")),
    "bm25s": ("evaluate", ["encoder=bm25"], upgrade("bm25s")),
    "scikit-learn": ("evaluate", ["encoder=tfidf"], upgrade("scikit-learn")),
    "faiss": ("evaluate", [*HUB, "search=exact", "depth=9"], upgrade("faiss-cpu")),
    "peft": (
        "train",
        ["encoder.lora={rank: 2, alpha: 2, dropout: 0.0, targets: [query]}"],
        upgrade("peft"),
    ),
}
SAME = {
    "a note beside the data": ("train", BEIR, write("beir/README.md")),
    "its licence": ("train", BEIR, write("apart/LICENSE")),
    "a hidden file": ("train", BEIR, write("beir/.cache/huggingface/x.lock")),
    "a file beside the pairs": ("train", PAIRS, write("meta.json")),
    "a state beside the checkpoint": ("evaluate", STATE, write("run/first.ckpt")),
    "bm25s for one that does not use it": ("train", [], upgrade("bm25s")),
    "FAISS for a GPU": ("evaluate", [*HUB, "search=exact", "depth=9"], of_gpu),
    "torch for words": ("evaluate", ["encoder=bm25"], upgrade("torch")),
    "a folder named as the split": ("train", [], call_a_folder_so("test")),
    "a folder named as the encoder": ("train", [], call_a_folder_so("tiny")),
}


def hashed(configure, command, overrides):
    return config_hash(resolved(configure(command, *overrides)))


@pytest.mark.parametrize("case", [*OTHER, *SAME])
def test_a_change_of_what_is_read_or_computes_is_another_run_and_of_a_note_is_not(
    configure, place, monkeypatch, case
):
    command, overrides, change = (OTHER | SAME)[case]
    before = hashed(configure, command, overrides)
    change(place, monkeypatch)
    forget()
    assert (hashed(configure, command, overrides) != before) == (case in OTHER)


@pytest.mark.parametrize(
    ("command", "one", "other"),
    [
        ("train", ["languages=[en,de]"], ["languages=[de,en]"]),
        ("train", ["languages=[en,de]"], ["languages=[de,en,de]"]),
        ("train", [f"languages={LANGUAGES}"], ["languages=all"]),
        ("evaluate", ["encoder=bm25", f"languages={LANGUAGES}"], ["encoder=bm25"]),
        ("train", ["pairs=[en-de,de-en]"], ["pairs=[de-en,en-de]"]),
        (
            "train",
            ["languages=[en,de]", "pairs=[de-de,en-en,de-en,en-de]"],
            ["languages=[en,de]", "pairs=all"],
        ),
        (
            "train",
            ["augmentation.scale=0", "augmentation.seed=1"],
            ["augmentation.scale=0", "augmentation.seed=2"],
        ),
        ("train", ["data.allow_overlap=[cldr_currency]"], []),
        ("train", ["run_files=1000"], []),
        ("evaluate", ["encoder=bm25", "run_files=1000"], ["encoder=bm25"]),
        ("train", [*HUB], [*HUB, "encoder.revision=v1"]),
        ("train", [*HUB], [*HUB, f"encoder.revision={'a' * 40}"]),
        ("train", [*OWN], ["encoder=pretrained", "encoder.name=${oc.env:HOME}/m"]),
        ("train", ["output_dir=elsewhere", "name=other"], []),
        ("train", ["sampler.alpha=1.0"], ["sampler.alpha=1"]),
    ],
)
def test_other_words_for_the_same_run_have_its_hash(configure, place, command, one, other):
    assert hashed(configure, command, one) == hashed(configure, command, other)


@pytest.mark.parametrize(
    ("command", "one", "other"),
    [
        ("train", ["languages=[en,de]"], ["languages=[en,fr]"]),
        ("train", ["languages=[en,de]"], ["languages=all"]),
        ("train", [*PAIRS, f"languages={LANGUAGES}"], PAIRS),
        ("train", ["pairs=[en-de,de-en]"], ["pairs=[en-de]"]),
        ("train", ["pairs=[en-en,en-de,de-en,de-de]"], ["pairs=all"]),
        (
            "train",
            ["augmentation.scale=9", "augmentation.seed=1"],
            ["augmentation.scale=9", "augmentation.seed=2"],
        ),
        (
            "train",
            ["augmentation.scale=null", "augmentation.seed=1"],
            ["augmentation.scale=null", "augmentation.seed=2"],
        ),
        ("train", HUB, [*HUB, "encoder.revision=v2"]),
        ("train", ["seed=1"], ["seed=2"]),
        ("train", ["tracking.code=one"], ["tracking.code=two"]),
        ("train", ["tracking.versions={torch: 1.2.3}"], []),
    ],
)
def test_what_gives_another_result_has_another_hash(configure, place, command, one, other):
    assert hashed(configure, command, one) != hashed(configure, command, other)


def test_languages_and_pairs_train_and_measure_the_same_in_any_order(configure):
    """What the hash takes for granted."""
    texts = {language: (f"text {language}",) for language in ("de", "en", "fr")}
    items = [
        Item(id=str(n), domain="", queries={k: (f"{v[0]} {n}",) for k, v in texts.items()},
             passages={k: (f"{v[0]}. {n}",) for k, v in texts.items()})
        for n in range(3)
    ]  # fmt: skip

    def trained(languages, pairs):
        return training_pairs(items, languages=languages, pairs=pairs, expand_pairs=False)

    for one, other in (
        (trained(["en", "de"], "all"), trained(["de", "en", "de"], "all")),
        (trained(None, "all"), trained(["fr", "en", "de"], "all")),
        (trained(None, ["en-de", "de-de"]), trained(None, ["de-de", "en-de"])),
    ):
        assert [*one.texts] == [*other.texts]
        assert one.language_pairs == other.language_pairs
        for name in ("query_N", "passage_N", "language_pair_N", "item_N"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.groups.group_T, other.groups.group_T)
    nodes = resolved(configure("train"))["evaluation"]
    here, there = (evaluation_sets(nodes, languages=some) for some in (["en", "de"], ["de", "en"]))
    assert [one.passages for one in here] == [one.passages for one in there]
    assert [one.query_ids for one in here] == [one.query_ids for one in there]


def test_an_upgrade_is_said_with_what_keeps_the_runs_there_are(
    client, experiment, configure, monkeypatch
):
    values = resolved(configure("train"))
    done = client.get_run(record(client, experiment, values))
    forget()
    upgrade("torch")(None, monkeypatch)
    now = identify(values).tags
    torch = version("torch").partition("+")[0]
    assert changes([done], [now]) == [
        f"complete with other libraries (then torch {torch}, now torch 99.1): 1, to run again; "
        f"'tracking.versions={{torch: {torch}}}' keeps what is there"
    ]
    kept = resolved(configure("train", f"tracking.versions={{torch: {torch}}}"))
    assert config_hash(kept) == done.data.tags["lingmix.config_hash"] != config_hash(values)
    assert f"torch {torch}" in identify(kept).tags[VERSIONS]
    forget()


@pytest.mark.parametrize("value", ["{tensorflow: 1}", "2.8"])
def test_versions_of_what_decides_nothing_are_refused(configure, value):
    config = resolved(configure("train", f"tracking.versions={value}"))
    with pytest.raises(InputError, match=r"^tracking.versions: must .* got (tensorflow|2.8)$"):
        config_hash(config)


def test_a_build_for_certain_hardware_is_no_other_version(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda _: "2.8.0+cu128")
    versions.installed.cache_clear()
    found = identity_versions({"encoder.name": "tiny"})
    versions.installed.cache_clear()
    assert found == dict.fromkeys(("tokenizers", "torch", "transformers"), "2.8.0")


def test_a_process_follows_links_and_ends_where_they_meet(place):
    found = {str(path.relative_to(place / "beir")) for path in contents._files(place / "beir")}
    assert found == {"corpus.jsonl", "qrels/test.tsv", "more/queries.jsonl"}
