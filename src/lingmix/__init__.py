"""Multilingual dense retrieval trained on hybrid batches."""

import os
from pathlib import Path

try:
    Path.home()
except RuntimeError:  # a number without an account: what MLflow and others ask as they are imported
    os.environ["HOME"] = os.sep  # as Docker has it for such a user
