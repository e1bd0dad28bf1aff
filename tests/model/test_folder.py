"""Folders: ours load in sentence-transformers, and theirs here, with the same vectors."""

import json
import shutil

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer import modules as st
from transformers import AutoTokenizer

from lingmix.errors import InputError
from lingmix.model.hub import commit_of
from lingmix.model.layout import POOLINGS
from tests.model.conftest import TEXTS, close, embed

PROMPTS = {"query": "query: ", "passage": "passage: "}
LENGTHS = {"query": 24, "passage": 24}


def theirs(folder, prompt_name="query"):
    model = SentenceTransformer(str(folder), device="cpu")
    return model.encode(TEXTS, prompt_name=prompt_name, convert_to_tensor=True)


@pytest.mark.parametrize("attention", [None, "sdpa"])
@pytest.mark.parametrize("kind", ["static", "tiny", "mean", "cls", "pooler"])
def test_a_saved_encoder_gives_sentence_transformers_the_same_vectors(
    load, bert_folder, tmp_path, kind, attention
):
    how = {"prompts": PROMPTS, "max_length": LENGTHS, "attention": attention}
    encoder = (
        load(kind, **how) if kind in ("static", "tiny") else load(bert_folder, pooling=kind, **how)
    )
    encoder.save(tmp_path / "model")
    for role in PROMPTS:
        close(theirs(tmp_path / "model", role), embed(encoder, TEXTS, role), atol=1e-5)
    assert not torch.allclose(embed(encoder, TEXTS, "query"), embed(encoder, TEXTS, "passage"))


def test_encode_query_and_encode_document_find_their_prompts_and_lengths(load, tmp_path):
    encoder = load("tiny", prompts=PROMPTS, max_length={"query": 6, "passage": 20})
    encoder.save(tmp_path / "model")
    model = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    queries = model.encode_query(TEXTS, convert_to_tensor=True)
    passages = model.encode_document(TEXTS, convert_to_tensor=True)
    close(queries, embed(encoder, TEXTS, "query"), atol=1e-5)
    close(passages, embed(encoder, TEXTS, "passage"), atol=1e-5)


@pytest.mark.parametrize("kind", ["static", "tiny", "mean", "cls", "pooler"])
def test_a_saved_encoder_loads_as_it_was(load, bert_folder, tmp_path, kind):
    how = {"prompts": PROMPTS, "max_length": {"query": 6, "passage": 12}}
    if kind == "static":
        how["max_length"] = LENGTHS
    encoder = (
        load(kind, **how) if kind in ("static", "tiny") else load(bert_folder, pooling=kind, **how)
    )
    encoder.save(tmp_path / "model")
    again = load(tmp_path / "model")
    for role in PROMPTS:
        assert again.tokenize(TEXTS, role) == encoder.tokenize(TEXTS, role)
        assert torch.equal(embed(again, TEXTS, role), embed(encoder, TEXTS, role))
    assert again.fingerprint() == encoder.fingerprint()
    assert again.tokenizer_fingerprint == encoder.tokenizer_fingerprint
    assert again.dimension == encoder.dimension == 16


def test_the_pooler_is_what_bert_gives_as_its_pooler_output(load, bert_folder):
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(bert_folder).eval()
    tokens = AutoTokenizer.from_pretrained(bert_folder)(
        TEXTS, padding=True, return_tensors="pt", return_token_type_ids=False
    )
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(model(**tokens).pooler_output, dim=-1)
    close(embed(load(bert_folder, pooling="pooler"), TEXTS), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("dense", [False, True])
def test_folders_of_sentence_transformers_load_with_their_modules(
    load, bert_folder, tmp_path, pooling, dense
):
    """Behind a Dense layer a vector's length before it matters too."""
    modules = [Transformer(str(bert_folder), max_seq_length=10), st.Pooling(16, pooling)]
    if dense:
        modules.append(Dense(16, 8, activation_function=torch.nn.Tanh()))
    model = SentenceTransformer(
        modules=[*modules, Normalize()], prompts={"query": "Q: ", "document": "D: "}, device="cpu"
    )
    model.save(str(tmp_path / "model"))
    encoder = load(tmp_path / "model")
    encoder.save(tmp_path / "ours")
    for folder in ("model", "ours"):
        close(theirs(tmp_path / folder), embed(encoder, TEXTS, "query"), atol=1e-5)
        close(theirs(tmp_path / folder, "document"), embed(encoder, TEXTS, "passage"), atol=1e-5)
    assert max(map(len, encoder.tokenize(TEXTS, "query"))) == 10
    assert encoder.dimension == (8 if dense else 16)


def test_arguments_that_are_not_null_stand_above_the_folder(load, bert_folder, tmp_path):
    load(bert_folder, pooling="cls", prompts=PROMPTS, max_length=LENGTHS).save(tmp_path / "model")
    changed = load(
        tmp_path / "model",
        pooling="mean",
        prompts={"query": None, "passage": "p: "},
        max_length={"query": 20, "passage": None},
    )
    plain = load(bert_folder, pooling="mean")
    close(embed(changed, TEXTS, "passage"), embed(load(
        bert_folder, prompts={"query": "", "passage": "p: "}, max_length=LENGTHS
    ), TEXTS, "passage"), atol=1e-6)  # fmt: skip
    longest = {role: max(map(len, changed.tokenize(TEXTS, role))) for role in PROMPTS}
    assert longest == {"query": 20, "passage": 24}
    cut = [tokens[:-1][:19] for tokens in plain.tokenize([f"query: {t}" for t in TEXTS], "query")]
    assert [tokens[:-1] for tokens in changed.tokenize(TEXTS, "query")] == cut


def test_no_text_is_longer_than_the_positions_of_the_model(load, bert_folder):
    encoder = load(bert_folder, max_length={"query": 512, "passage": 512})
    assert len(encoder.tokenize(["Japan " * 200], "passage")[0]) == 64
    assert torch.isfinite(embed(encoder, ["Japan " * 200], "passage")).all()


def test_saving_replaces_a_model_and_nothing_else(load, tmp_path):
    encoder = load("static")
    encoder.save(tmp_path / "model")
    encoder.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    with pytest.raises(InputError, match="thesis: is not empty"):
        encoder.save(other)
    assert (other / "chapter.txt").read_text() == "years of work"


def test_whoever_reads_the_settings_reads_the_weights(load, tmp_path):
    """A server often runs as another user than the one that trained."""
    load("tiny").save(tmp_path / "model")
    modes = {path.stat().st_mode for path in (tmp_path / "model").iterdir() if path.is_file()}
    assert len(modes) == 1


def test_saved_tokenizers_name_a_class_that_older_transformers_know(load, tmp_path):
    load("tiny").save(tmp_path / "model")
    settings = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def pickled_weights(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def torn_weights(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def half_the_weights(folder):
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "layer.1" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def no_config(folder):
    (folder / "config.json").unlink()


def unknown_module(folder):
    modules(folder, ("", "sentence_transformers.base.modules.router.Router"))


def module_of_another_package(folder):
    modules(folder, ("", "sentence_transformers.models.Transformer"), ("1_Own", "own.Pooling"))


def modules_without_a_path(folder):
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Transformer"}]')


def modules(folder, *rows):
    listed = [
        {"idx": n, "name": str(n), "path": p, "type": kind} for n, (p, kind) in enumerate(rows)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))


def pooling(folder, **config):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    kinds = ("Transformer", "Pooling")
    places = zip(("", "1_Pooling"), kinds, strict=True)
    modules(folder, *((path, f"sentence_transformers.models.{kind}") for path, kind in places))


def unknown_pooling(folder):
    pooling(folder, pooling_mode="median")


def two_poolings(folder):
    pooling(folder, pooling_mode_cls_token=True, pooling_mode_max_tokens=True)


def prompt_left_out(folder):
    pooling(folder, pooling_mode="mean", include_prompt=False)
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"document": "D: "}}')


def dot_product(folder):
    (folder / "config_sentence_transformers.json").write_text('{"similarity_fn_name": "dot"}')


def sparse_encoder(folder):
    (folder / "config_sentence_transformers.json").write_text('{"model_type": "SparseEncoder"}')


def own_arguments(folder):
    settings = {"tokenizer_args": {"add_prefix_space": True}}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))


def query_expansion(folder):
    (folder / "sentence_bert_config.json").write_text('{"query_expansion": {"length": 32}}')


def changed_config(**changes):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return change


def adapters(folder):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "nobody/base"}')


def no_tokenizer_config(folder):
    (folder / "tokenizer_config.json").unlink()


def no_tokenizer(folder):
    """Transformers makes one up of the special tokens."""
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')


def added_tokens(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"added{n}" for n in range(10)])
    tokenizer.save_pretrained(folder)


def broken_json(folder):
    (folder / "modules.json").write_text("[{")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_weights, "has no model.safetensors; save"),
        (pickled_weights, "pytorch_model.bin is not read"),
        (torn_weights, "cannot be loaded"),
        (half_the_weights, "lacks the weights of 16 tensors"),
        (no_config, "has no config.json"),
        (unknown_module, "got Router"),
        (module_of_another_package, "sentence-transformers' own, got own.Pooling"),
        (modules_without_a_path, "each with a type and a path"),
        (unknown_pooling, "pooling must be one of mean, cls, .* got median"),
        (two_poolings, r"pooling must be one of .* got cls\+max"),
        (prompt_left_out, "include_prompt must be true"),
        (dot_product, "similarity_fn_name must be cosine, .* got dot"),
        (sparse_encoder, "model_type must be SentenceTransformer, got SparseEncoder"),
        (own_arguments, "tokenizer_args must name no add_prefix_space"),
        (query_expansion, "query_expansion must be None, got {'length': 32}"),
        (changed_config(num_hidden_layers=1), "of the weights, .* of more layers, such as .*1.att"),
        (changed_config(num_hidden_layers=-1), "of the weights, .* of more layers|got -1"),
        (
            changed_config(quantization_config={"quant_method": "bitsandbytes"}),
            "quantization_config",
        ),
        (changed_config(attention_type="block_sparse"), "attention_type block_sparse"),
        (changed_config(model_type="big_bird"), "attention_type block_sparse"),
        (changed_config(hidden_size=20), "cannot be loaded"),
        (changed_config(model_type="no_such_type"), "cannot be loaded .*no_such_type"),
        (changed_config(vocab_size="many"), "cannot be loaded"),
        (adapters, "has an adapter_config.json"),
        (no_tokenizer_config, "has no tokenizer_config.json"),
        (no_tokenizer, "has no tokenizer.json and no vocab.txt"),
        (added_tokens, r"has a tokenizer of \d+ tokens and embeddings of \d+"),
        (broken_json, "modules.json: cannot be read as JSON"),
    ],
)
def test_a_spoilt_folder_is_refused_in_one_line(load, bert_folder, tmp_path, spoil, says):
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    spoil(folder)
    with pytest.raises(InputError, match=says) as told:
        load(folder)
    assert str(folder) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["nobody/no-such-model", "/no/such/folder"])
def test_a_name_that_cannot_be_found_is_refused_in_one_line(load, monkeypatch, name):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=f"{name} is neither a folder here") as told:
        load(name)
    assert "\n" not in str(told.value)


@pytest.fixture
def fetched(load, bert_folder, tmp_path, monkeypatch):
    """A model of two commits as a fetch leaves it, no network: `a` is main, `b` the tag v1."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    commit_of.cache_clear()
    model = tmp_path / "models--somebody--some-bert"
    (model / "refs").mkdir(parents=True)
    for name, letter, pooling in (("main", "a", "pooler"), ("v1", "b", "mean")):
        load(bert_folder, pooling=pooling).save(model / "snapshots" / (letter * 40))
        (model / "refs" / name).write_text(letter * 40)
    yield "somebody/some-bert"
    commit_of.cache_clear()


@pytest.mark.parametrize(
    ("revision", "pooling"), [(None, "pooler"), ("v1", "mean"), ("b" * 40, "mean")]
)
def test_a_model_fetched_before_loads_by_name_and_revision_without_network(
    load, bert_folder, fetched, revision, pooling
):
    expected = embed(load(bert_folder, pooling=pooling), TEXTS)
    close(embed(load(fetched, revision=revision), TEXTS), expected, atol=1e-6)


def test_a_revision_that_a_model_does_not_have_is_refused_in_one_line(load, fetched):
    with pytest.raises(InputError, match=f"{fetched} .* at revision v2; check") as told:
        load(fetched, revision="v2")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["tiny", "folder", "best.ckpt"])
def test_what_is_not_on_hugging_face_has_no_revision(load, bert_folder, name):
    with pytest.raises(InputError, match=r"^encoder.revision: must be null for .* got v1$"):
        load(bert_folder if name == "folder" else name, revision="v1")


def test_code_in_a_folder_is_not_run_unless_asked_for(load, bert_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModel": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InputError, match="trust_remote_code"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_a_pooler_that_is_not_there_is_refused(load, tmp_path):
    load("tiny").save(tmp_path / "model")
    for part in ("modules.json", "1_Pooling", "2_Normalize"):
        path = tmp_path / "model" / part
        path.unlink() if path.is_file() else shutil.rmtree(path)
    with pytest.raises(InputError, match=r"lacks the weights of 2 tensors, the first pooler"):
        load(tmp_path / "model", pooling="pooler")
