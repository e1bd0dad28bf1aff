"""The same training by sentence-transformers' trainer, and when each of its steps ended."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import PrinterCallback, TrainerCallback

from benchmarks.harness.training import Steps, Work
from lingmix.data.training_pairs import TrainingPairs
from lingmix.model.precision import precision_of


def train_peer(
    work: Work,
    model: SentenceTransformer,
    *,
    folder: Path,
) -> Steps:
    """The same precision, optimizer settings and clipping; AdamW as the library chooses it."""
    steps = Steps()
    ours, optimizer = work.config["trainer"], work.config["optimizer"]
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=work.steps,
        per_device_train_batch_size=work.schedule.batch_size,
        batch_sampler=partial(_Scheduled, work=work),
        learning_rate=optimizer["lr"],
        adam_beta1=optimizer["betas"][0],
        adam_beta2=optimizer["betas"][1],
        weight_decay=optimizer.get("weight_decay", 0.0),
        lr_scheduler_type=optimizer["decay"],
        max_grad_norm=ours["gradient_clip_val"] or 0.0,
        bf16=precision_of(ours["precision"]) == "bf16-mixed",
        fp16=precision_of(ours["precision"]) == "16-mixed",
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    scale = 1 / work.config["loss"]["temperature"]
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=_rows(work.pairs),
        loss=_Recorded(model, scale=scale, steps=steps),
        callbacks=[_PeerClock(steps)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return steps


class _Recorded(MultipleNegativesRankingLoss):
    def __init__(self, model: SentenceTransformer, *, scale: float, steps: Steps) -> None:
        super().__init__(model, scale=scale)
        self._steps = steps

    def forward(self, sentence_features: Any, labels: torch.Tensor) -> torch.Tensor:
        loss = super().forward(sentence_features, labels)
        self._steps.losses.append(loss.item())
        return loss


class _PeerClock(TrainerCallback):
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._steps.end()


class _Scheduled(DefaultBatchSampler):
    """The batches of our schedule, in its order."""

    def __init__(self, dataset: Dataset, *, work: Work, **kwargs: Any) -> None:
        super().__init__(dataset, **kwargs)
        self._work = work

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self._work.steps):
            yield self._work.schedule.rows(step).tolist()

    def __len__(self) -> int:
        return self._work.steps


def _rows(pairs: TrainingPairs) -> Dataset:
    return Dataset.from_dict(
        {
            "query": pairs.texts.take(pairs.query_N),
            "passage": pairs.texts.take(pairs.passage_N),
        }
    )
