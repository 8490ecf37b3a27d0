"""Run as a script: read {"qrels", "run", "names"} as JSON, write ranx's score of each query by metric.

ranx compiles each metric for parallel loops on first use, which takes minutes; run with NUMBA_DISABLE_JIT=1 it
is plain Python, and done in seconds. That switch is the whole process's, hence one of its own.
"""

import json
import sys


def main():
    import ranx

    given = json.load(sys.stdin)
    qrels, run = ranx.Qrels(given["qrels"]), ranx.Run(given["run"])
    scores = ranx.evaluate(qrels, run, given["names"], return_mean=False)
    json.dump({name: list(map(float, values)) for name, values in scores.items()}, sys.stdout)


if __name__ == "__main__":
    main()
