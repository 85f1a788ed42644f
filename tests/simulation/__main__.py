"""`python -m tests.simulation --seed N --steps M`: runs one seed again, or many from there on."""

import argparse
import sys
from collections import Counter

from tests.simulation.run import STEPS, run_seed, workshop


def main():
    arguments = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--steps", type=int, default=STEPS)
    arguments.add_argument("--count", type=int, default=1, help="seeds to run, this one and those after it")
    chosen = arguments.parse_args()
    seen, counted = Counter(), Counter()
    with workshop() as place:
        for seed in range(chosen.seed, chosen.seed + chosen.count):
            ran = run_seed(seed, chosen.steps, place)
            sys.stdout.write(f"{ran}\n")
            seen += ran.counts
            counted += Counter(batches=ran.counts["batch"] > 0, streams=ran.counts["opened stream"] > 0)
    sys.stdout.write(
        f"{counted['batches']} of {chosen.count} worlds answered batches: {seen['batch']} of "
        f"{seen['batched deduction']} deductions in all;"
        f" {counted['streams']} served streams: {seen['opened stream']} of {seen['streamed deduction']} deductions\n"
    )


if __name__ == "__main__":
    main()
