"""Times dualdiff beside hand-written NumPy and whichever peers are installed: `python -m tests.benchmarks`."""
