from tests.commands import command

CELL = ("sampler.alpha=0.5", "augmentation.scale=0", "seed=7")


def refused(*overrides: str) -> str:
    found = command("train", *overrides)
    assert found.returncode == 1
    return found.stderr.strip()


def test_a_grid_that_is_started_as_one_run_is_refused_with_what_is_missing():
    assert refused("sweep=demo", *CELL[:2]) == (
        "lingmix-train: sweep: is a grid or a search, which one run is not; start it as "
        "`lingmix-train -m ...`; or as one cell, with seed given"
    )


def test_a_search_is_no_run():
    assert refused("sweep=optuna", *CELL).endswith("start it as `lingmix-train -m ...`")


def test_one_cell_of_a_grid_is_a_run():
    """It comes as far as its settings."""
    assert refused("sweep=demo", *CELL, "trainer.max_steps=0").startswith(
        "lingmix-train: trainer.max_steps: must be"
    )
