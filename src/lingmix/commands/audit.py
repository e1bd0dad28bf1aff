"""The command lingmix-audit, which looks for evaluation data among training data."""

import sys
from pathlib import Path

from omegaconf import DictConfig

from lingmix.assembly.sources import load_columns
from lingmix.cli.config import checked, evaluation_sets
from lingmix.data.scales import scaled_items
from lingmix.leakage.audit import audit_leakage
from lingmix.leakage.overlap import leaks
from lingmix.leakage.report import overlap_table, write_overlaps
from lingmix.terminal import say

UNLESS = (
    ", or set data.near_duplicates=null, or a higher similarity, if they only resemble each other"
)


def audit(composed: DictConfig) -> str:
    """Write the overlaps, a row each, and return how many there are of each kind; exit with status
    1 after saying so where there is a leak from a set that `data.allow_overlap` does not name."""
    config = checked(composed, "audit")
    data, folder = config["data"], Path(config["folder"]).absolute()
    sets = evaluation_sets(config["evaluation"], languages=config["languages"])
    columns = load_columns(config)
    overlaps = audit_leakage(
        columns,
        items=scaled_items(columns, **config["augmentation"]),
        evaluation_sets=sets,
        near_duplicates=data["near_duplicates"],
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_overlaps(overlaps, folder)
    report = f"{overlap_table(overlaps, [one.name for one in sets])}\n{folder}"
    if found := leaks(overlaps, allowed=data["allow_overlap"]):
        say(report)
        texts = len({(one.source, one.item_id, one.field, one.text) for one in found})
        equal = any(one.kind != "near" for one in found)
        sys.exit(
            f"lingmix-audit: {texts} training texts leak, the first: {found[0]}; leave out of "
            f"training what leakage.csv lists as a leak{'' if equal else UNLESS}"
        )
    return report
