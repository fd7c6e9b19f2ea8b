"""`python -m tests.benchmarks`: one thread for everyone, or `OMP_NUM_THREADS` of them, then the command."""

import os
import sys

# Several thread pools taking turns wait for one another's spinning threads: 100 times slower, in no library's code.
threads = os.environ.setdefault("OMP_NUM_THREADS", "1")
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(variable, threads)
if hasattr(os, "sched_setaffinity"):  # for those that read no variable, as JAX
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(threads) :])

from .command import main  # noqa: E402  (NumPy reads the variables when it is loaded)

sys.exit(main())
