"""lingmix-train as a rank of a torchrun that forks its ranks; exits as a Python of its own does."""

import atexit
import sys
from multiprocessing.util import Finalize

from lingmix.train import main

Finalize(None, atexit._run_exitfuncs, exitpriority=0)
sys.argv[0] = "lingmix-train"
main()
