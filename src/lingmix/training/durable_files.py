"""Checkpoint files that survive a kill, a full disk and a power loss."""

import errno
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lingmix.atomic import atomic_file
from lingmix.data.file_cache import sync
from lingmix.errors import InputError

DISK_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class DurableFiles(TorchCheckpointIO):
    """Writes checkpoints atomically and durably: whole or not at all, also after a power loss.

    Lightning moves a file from the temporary folder, which may be on another file system, and never
    syncs it. Raises InputError where the disk is full.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        path = Path(path)
        try:
            with atomic_file(path, durable=True) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch raises its own while it handles an OSError
            cause = error if isinstance(error, OSError) else error.__context__
            if not isinstance(cause, OSError) or cause.errno not in DISK_FULL:
                raise
            raise InputError(
                f"output_dir: the checkpoint {path.name} does not fit into {path.parent} "
                f"({cause.strerror}); make room and start the same command again, which resumes "
                "from the checkpoint before"
            ) from error
        sync(path.parent)
