"""What a training shows of itself."""

from pathlib import Path
from typing import NamedTuple

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import Logger
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from lingmix.data.batches import Batch
from lingmix.data.schedule import Pass
from lingmix.data.tokens import Texts
from lingmix.errors import InputError
from lingmix.model import proof
from lingmix.training.monitors import GradientMonitor, LossMonitor, SpeedMonitor
from tests.model.conftest import TEXTS, ragged


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Kept(Logger):
    name = version = "kept"

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, dict[int, float]] = {}

    def log_hyperparams(self, params, *args, **kwargs) -> None: ...

    def log_metrics(self, metrics, step=None) -> None:
        for name, value in metrics.items():
            assert type(value) is float or name == "epoch"
            assert step not in self.at.setdefault(name, {})
            self.at[name][step] = value


class Batches(Dataset):
    """Two equal batches of four pairs, and two mixed cross-lingual ones; making one takes 3 s."""

    def __init__(self, encoder, clock: Clock) -> None:
        self._texts = ragged(encoder.tokenize(TEXTS[:4], "query"))
        self._others = [ragged(encoder.tokenize(TEXTS[i : i + 4], "passage")) for i in (1, 2)]
        self._clock = clock

    def __len__(self) -> int:
        return 4

    def __getitem__(self, step: int) -> Batch:
        if step >= 4:
            raise IndexError
        self._clock.now += 3
        four = torch.arange(4)
        return Batch(
            queries=Texts(self._texts, four),
            passages=Texts(self._others[step // 2], four),
            passage_count=4,
            false_negatives_E2=torch.zeros(0, 2, dtype=torch.long),
            pair_B=four,
            monolingual=step < 2,
            drawn=Pass("en-en", 0, 8) if step < 2 else None,
        )


class Contrastive(pl.LightningModule):
    """A training step takes 2 s, a validation 100 s."""

    def __init__(self, encoder, clock: Clock, *, sparse: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.norms: list[float] = []
        self._clock = clock
        self._sparse = sparse

    def training_step(self, batch: Batch, step: int) -> torch.Tensor:
        self._clock.now += 2
        scores_QP = self.encoder(batch.queries.tokens) @ self.encoder(batch.passages.tokens).T
        return functional.cross_entropy(20 * scores_QP, torch.arange(4))

    def on_after_backward(self) -> None:
        gradients = [one.grad.to_dense() for one in self.parameters() if one.grad is not None]
        self.norms.append(torch.nn.utils.get_total_norm(gradients).item())

    def validation_step(self, batch: Batch, step: int) -> None:
        self._clock.now += 100

    def configure_optimizers(self):
        kind = torch.optim.SparseAdam if self._sparse else torch.optim.AdamW
        return kind(list(self.parameters()), lr=1e-3)


STATIC = {"dimension": 16, "vocabulary": 400, "scale": 0.1, "sparse": True}


@pytest.fixture
def fit(load, tmp_path):
    """Trains on the four batches again and again."""

    def fitted(name="tiny", *, steps, watched=True, resumed: Path | None = None, **settings):
        clock, kept = Clock(), Kept()
        sparse = name == "static"
        module = Contrastive(
            load(name, **({"scratch": STATIC} if sparse else {})), clock, sparse=sparse
        )
        watches = [
            SpeedMonitor(embedder=module.encoder.embedder, micro_batch_tokens=None, clock=clock),
            LossMonitor(),
            GradientMonitor(noise_scale_window=3),
        ]
        trainer = pl.Trainer(
            accelerator="cpu",
            logger=kept,
            callbacks=watches if watched else [],
            max_steps=steps,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
            default_root_dir=tmp_path,
            **({"log_every_n_steps": 2, "gradient_clip_val": None} | settings),
        )
        batches = Batches(module.encoder, clock)
        loaders = [DataLoader(batches, batch_size=None) for _ in range(2)]
        trainer.fit(module, *loaders, ckpt_path=resumed)
        return trainer, module, kept

    return fitted


def test_rates_are_of_the_time_since_the_last_log_without_validation(fit):
    """Two batches of four pairs take twice 3 s of waiting and 2 s of training; a validation of
    four batches of 103 s each follows every step."""
    _, module, kept = fit(steps=4, val_check_interval=1)
    assert kept.at["train/pairs_per_second"] == {1: pytest.approx(0.8), 3: pytest.approx(0.8)}
    assert kept.at["train/waiting_share"] == {1: pytest.approx(0.6), 3: pytest.approx(0.6)}
    queries, first, second = (
        sum(map(len, module.encoder.tokenize(TEXTS[i : i + 4], "query"))) for i in (0, 1, 2)
    )
    assert kept.at["train/tokens_per_second"] == {
        1: pytest.approx(2 * (queries + first) / 10),
        3: pytest.approx(2 * (queries + second) / 10),
    }


def test_texts_that_cannot_be_packed_are_padded_at_most_to_the_longest(fit, monkeypatch):
    for name in ("tiny", "static"):
        assert fit(name, steps=2)[2].at["train/padding_share"][1] == 0
    monkeypatch.setattr(proof, "PACKABLE", ())
    _, module, kept = fit(steps=2)
    queries, passages = module.encoder.tokenize(TEXTS[:4], "query"), TEXTS[1:5]
    lengths = [*map(len, queries), *map(len, module.encoder.tokenize(passages, "passage"))]
    share = kept.at["train/padding_share"][1]
    assert 0 < share < 1 - sum(lengths) / (8 * max(lengths))  # in chunks of like lengths


def test_a_run_begins_with_its_loss_by_which_mlflow_compares_runs_at_first(fit):
    _, _, kept = fit(steps=2)
    first = [name for name in kept.at if not name.endswith(("_per_second", "_share"))]
    assert first[0] == "train/loss"


def test_accumulated_batches_are_one_step(fit):
    _, _, kept = fit(steps=2, accumulate_grad_batches=2, log_every_n_steps=1)
    assert kept.at["train/pairs_per_second"] == {0: pytest.approx(0.8), 1: pytest.approx(0.8)}


class Given(NamedTuple):
    monolingual: bool
    loss: float


class Losing(pl.LightningModule):
    """The weight stays 0, so that a batch has the loss it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Given, step: int) -> torch.Tensor:
        return self.weight + batch.loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.parametrize(
    ("accumulated", "every", "loss", "monolingual", "crosslingual"),
    [
        (1, 2, {1: 2, 3: 4, 5: 9}, {1: 2}, {3: 4, 5: 9}),
        (2, 1, {0: 1.5, 1: 5, 2: 7}, {0: 1.5}, {1: 5, 2: 7}),
        (3, 1, {0: 3, 1: 6}, {0: 1.5}, {0: 6, 1: 6}),
        (3, 2, {1: 6}, None, {1: 6}),
    ],
)
def test_a_logged_loss_is_the_mean_of_the_steps_batches_and_of_those_of_each_kind(
    accumulated, every, loss, monolingual, crosslingual
):
    kept = Kept()
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=kept,
        callbacks=[LossMonitor()],
        max_epochs=1,
        accumulate_grad_batches=accumulated,
        log_every_n_steps=every,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    batches = [Given(loss < 3, float(loss)) for loss in (1, 2, 6, 4, 5, 9)]
    trainer.fit(Losing(), DataLoader(batches, batch_size=None))
    assert kept.at["train/loss"] == pytest.approx(loss)
    assert kept.at.get("train/loss_monolingual") == pytest.approx(monolingual)
    assert kept.at["train/loss_crosslingual"] == pytest.approx(crosslingual)


@pytest.mark.parametrize("name", ["tiny", "static"])
def test_the_gradient_norm_is_that_before_clipping(fit, name):
    clip = {"gradient_clip_val": 1e-3} if name == "tiny" else {}
    _, module, kept = fit(name, steps=4, **clip)
    assert kept.at["train/gradient_norm"] == {
        step: pytest.approx(module.norms[step], rel=1e-6) for step in (1, 3)
    }
    assert module.norms[1] > 1e-3


@pytest.mark.parametrize("name", ["tiny", "static"])
def test_a_watched_training_ends_in_the_same_weights(fit, name):
    clip = {"gradient_clip_val": 0.1} if name == "tiny" else {}
    weights = [
        fit(name, steps=8, watched=watched, **clip)[1].state_dict() for watched in (True, False)
    ]
    for key, one in weights[0].items():
        assert torch.equal(one, weights[1][key]), key


NOISE = ("noise_scale_monolingual", "noise_scale_crosslingual", "pair/en-en/noise_scale")


def test_each_kind_of_batch_has_its_noise_scale_when_its_window_is_full(fit):
    """Steps 0, 1, 4 are the first three monolingual ones, 2, 3, 6 the first cross-lingual ones."""
    _, _, kept = fit(steps=8)
    assert [list(kept.at[f"train/{name}"]) for name in NOISE] == [[4], [6], [4]]
    assert kept.at["train/pair/en-en/noise_scale"] == pytest.approx(
        kept.at["train/noise_scale_monolingual"], rel=1e-12
    )
    assert kept.at["train/noise_between_pairs_monolingual"] == {4: pytest.approx(0, abs=1e-6)}
    assert "train/noise_between_pairs_crosslingual" not in kept.at


@pytest.mark.parametrize(("accumulated", "step"), [(2, 4), (4, None)])
def test_accumulated_batches_of_several_kinds_have_no_noise_scale(fit, accumulated, step):
    """Two accumulated batches are of one kind: steps 0, 2 and 4 are the monolingual ones."""
    _, _, kept = fit(steps=6, accumulate_grad_batches=accumulated)
    assert list(kept.at.get("train/noise_scale_monolingual", [])) == (
        [] if step is None else [step]
    )


def test_a_resumed_training_has_the_noise_scale_of_one_left_alone(fit, tmp_path):
    _, _, alone = fit(steps=8)
    trainer, _, _ = fit(steps=4)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    _, _, resumed = fit(steps=8, resumed=tmp_path / "half.ckpt")
    for name in NOISE:
        assert resumed.at[f"train/{name}"] == alone.at[f"train/{name}"]


def test_a_window_of_one_batch_is_refused():
    with pytest.raises(InputError, match=r"noise_scale_window: must be at least 2 .* got 1$"):
        GradientMonitor(noise_scale_window=1)


def test_a_cpu_has_no_utilisation(fit):
    _, _, kept = fit(steps=2)
    assert "train/flop_utilisation" not in kept.at
