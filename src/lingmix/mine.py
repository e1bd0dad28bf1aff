"""lingmix-mine: training data, any encoder -> the same pairs with hard negatives."""

from pathlib import Path

from omegaconf import DictConfig

from lingmix.data.contents import contents_of
from lingmix.data.pair_file import refuse_unwritable, rows_with_negatives, write_rows
from lingmix.data.scales import scaled_items
from lingmix.data.training_pairs import training_pairs
from lingmix.doors import Config, build, door, resolved
from lingmix.encoders import encoding_of
from lingmix.errors import InputError
from lingmix.evaluation.negatives import MiningRules, mine, report
from lingmix.tracking.models import model_folder


def mine_negatives(composed: DictConfig) -> str:
    """Writes the pairs with their negatives; says how many there are and what was passed over."""
    config = resolved(composed)
    data, languages, path = config["data"], config["languages"], Path(config["path"]).absolute()
    rules = MiningRules(**config["mining"])
    refuse_unwritable(path)
    for source in data["train"]:
        if "path" in source and Path(source["path"]).absolute() == path:
            raise InputError(f"path: {path} is what is read (data.train); name another file")
    items = [item for source in build(data["train"]) for item in source]
    mined_items = scaled_items(items, **config["augmentation"])
    pairs = training_pairs(
        mined_items,
        languages=None if languages == "all" else languages,
        pairs=config["pairs"],
        expand_pairs=data["expand_pairs"],
    )
    encode = encoding_of(config, folder_of(config))
    mined = mine(
        pairs,
        contents_of(items, pairs.passages),
        encode(pairs.queries, "query"),
        encode(pairs.passages, "passage"),
        build(config["search"]),
        rules=rules,
    )
    write_rows(rows_with_negatives(mined_items, pairs, mined.passage_NC), path=path)
    return f"{report(mined)}\n{path}"


def folder_of(config: Config) -> str:
    name = config["encoder"]["name"]
    if "lexical" in config["encoder"]:
        raise InputError(f"encoder: {name} gives no vectors to search; name a model")
    return model_folder(config["tracking"]["uri"], name)


main = door("mine")(mine_negatives)

if __name__ == "__main__":
    main()
