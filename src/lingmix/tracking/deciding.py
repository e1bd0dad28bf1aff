"""Which settings can change a run's result."""

DECIDES_NOTHING = (
    "name",
    "output_dir",
    "data_dir",
    "download_dir",
    "embeddings",
    "processes",
    "tracking",
    "noise_scale_window",
    "checkpoint",
    "run_files",
    "data.allow_overlap",
    "data.near_duplicates",
    "data.licences",
    "data.excluded_licences",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.log_every_n_steps",
)
"""Keys that change no result: where it is written, how it is shown and what is allowed."""


def decides(key: str) -> bool:
    """Whether the value of a dotted key can change a run's result."""
    free = any(key == name or key.startswith(f"{name}.") for name in DECIDES_NOTHING)
    return not free and not key.endswith(".download_dir")  # revisions and checksums decide
