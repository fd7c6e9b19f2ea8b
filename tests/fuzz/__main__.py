"""`python -m tests.fuzz --seconds 600 --seed 0`: random programs for as long, each find cut down."""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter

from .checks import examine, shrunk
from .programs import program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="0", help="an int, or as SEED/K the K-th program of a seed alone")
    args = parser.parse_args()
    counts: Counter[str] = Counter()
    seed, _, number = args.seed.partition("/")
    end, k, seen = time.monotonic() + args.seconds, int(number or 0), set[str]()
    while time.monotonic() < end:
        counts["programs"] += 1
        for find in examine(program(f"{seed}/{k}"), counts):
            counts["finds"] += 1
            short = shrunk(find)
            key = short.got if "Error" in short.got else re.sub(r"\d", "", "\n".join(short.program.lines))
            if key not in seen:
                seen.add(key)
                print(f"# seed {seed}/{k}, {find.kind}\n{short}\n", flush=True)
            break  # one find a program: the others mostly have the same cause
        k += 1
        if number:
            break
    print("\n".join(f"{n:8} {name}" for name, n in sorted(counts.items())))


if __name__ == "__main__":
    main()
