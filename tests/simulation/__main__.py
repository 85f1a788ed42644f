"""`python -m tests.simulation --seed N --steps M`: runs one seed again, or many from there on."""

import argparse
import sys

from tests.simulation.run import STEPS, run_seed, workshop


def main():
    arguments = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--steps", type=int, default=STEPS)
    arguments.add_argument("--count", type=int, default=1, help="seeds to run, this one and those after it")
    chosen = arguments.parse_args()
    with workshop() as place:
        for seed in range(chosen.seed, chosen.seed + chosen.count):
            ran = run_seed(seed, chosen.steps, place)
            sys.stdout.write(f"seed={seed} steps={chosen.steps} commits={ran.witness.commits} fingerprint={ran.fingerprint}\n")


if __name__ == "__main__":
    main()
