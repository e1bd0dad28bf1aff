"""What cells are called."""

from lingmix.sweep.cell import chosen_values
from lingmix.sweep.grid import Plan
from lingmix.tracking.identity import RunIdentity


def plan(*overrides: str, **values: object) -> Plan:
    return Plan(overrides, values, RunIdentity({}, {}))


def test_a_cell_is_named_by_the_choice_of_a_group_and_not_by_all_it_sets():
    encoder = {"name": "tiny", "scratch": {"layers": 2, "width": 128}}
    cell = plan("encoder=tiny", "seed=1", "name=x", encoder=encoder, seed=1)
    keys = ["encoder.name", "encoder.scratch.layers", "encoder.scratch.width", "seed"]
    assert chosen_values(cell, keys) == {"encoder": "tiny", "seed": "1"}


def test_a_key_that_is_written_beside_the_choice_of_its_group_is_named_itself():
    encoder = {"name": "tiny", "scratch": {"layers": 4}}
    cell = plan("encoder=tiny", "encoder.scratch.layers=4", encoder=encoder)
    assert chosen_values(cell, ["encoder.name", "encoder.scratch.layers"]) == {
        "encoder": "tiny",
        "encoder.scratch.layers": "4",
    }


def test_what_an_experiment_sets_is_named_by_the_experiment():
    cell = plan("experiment=small", "seed=0", loss={"temperature": 0.1}, seed=0)
    assert chosen_values(cell, ["loss.temperature", "seed"]) == {"experiment": "small", "seed": "0"}


def test_a_key_that_follows_another_is_named_as_it_is():
    cell = plan("seed=3", seed=3, augmentation={"seed": 3})
    assert chosen_values(cell, ["augmentation.seed", "seed"]) == {
        "augmentation.seed": "3",
        "seed": "3",
    }


def test_a_source_is_named_by_the_short_key_that_it_is_taken_from():
    cell = plan("experiment=small", "data.path=a.jsonl", data={"sets": {"items": {"path": "a"}}})
    assert chosen_values(cell, ["data.sets.items.path"]) == {"data.path": "a.jsonl"}
