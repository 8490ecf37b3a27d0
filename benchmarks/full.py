"""The long benchmarks, part by part: what `make bench-full` runs.

    python benchmarks/full.py [SCRIPT | SCRIPT/PART …] [--list]

Each part is a call of its own, `bench_SCRIPT.py --only PART`, which keeps the other parts of its result file. What is
done stands in benchmarks/data/full.json until all is: a run that was cut off, called again, goes on where it stopped.
A part whose data is not there is left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import results

# The parts of each script; they run in this order.
PARTS = {
    "wals": ("dim64", "dim128", "cmfrec"),
    "scaling": ("events", "dim", "threads"),
    "sgd_large": ("factors_16", "factors_100"),
    "cold_start": ("films", "products", "people"),
    "content_lab": ("speed", "lab"),
    "softmax_net": ("gowalla", "negatives", "folding"),
    "gowalla": ("item_neighbors", "rp3beta", "graph_filter", "ease", "bpr", "wals", "blend"),
    "related_items": ("update", "million", "index"),
    "index": ("glove", "wals", "crossing"),
    "ten_million": ("build", "search", "exact"),
    "explanations": ("history", "features"),
}
DONE = results.DATA / "full.json"


def all_parts() -> list[str]:
    """Return every part as SCRIPT/PART."""
    return [f"{script}/{part}" for script, parts in PARTS.items() for part in parts]


def chosen(wanted: list[str]) -> list[str]:
    """Return the parts that `wanted` names, each a script or a part; all where it is empty. Raises `SystemExit`."""
    parts = all_parts()
    for name in wanted:
        if name not in parts and name not in PARTS:
            sys.exit(f"no part {name!r}; there are: {' '.join(parts)}")
    return [part for part in parts if not wanted or part in wanted or part.partition("/")[0] in wanted]


def run(part: str) -> None:
    """Measure one part; one whose data is not there says so. Raises `SystemExit` where it fails."""
    script, _, name = part.partition("/")
    file = Path(__file__).with_name(f"bench_{script}.py")
    print(f"== {part}", flush=True)
    status = subprocess.run([sys.executable, file, "--only", name], check=False).returncode
    if status not in (0, results.LEFT_OUT):
        sys.exit(f"{part} ended with status {status}; what is done is kept: call again to go on")


def keep(done: list[str]) -> None:
    """Write down which parts are done."""
    DONE.parent.mkdir(parents=True, exist_ok=True)
    DONE.write_text(json.dumps(done) + "\n", encoding="utf-8")


def main() -> None:
    """Run what is asked for and not yet done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="SCRIPT | SCRIPT/PART")
    parser.add_argument("--list", action="store_true", help="name the parts and stop")
    parser.add_argument("--scripts", action="store_true", help="name the scripts and stop")
    options = parser.parse_args()
    parts = chosen(options.parts)
    if options.scripts:
        print(*PARTS)
        return
    if options.list:
        print(*parts, sep="\n")
        return
    done = json.loads(DONE.read_text(encoding="utf-8")) if DONE.is_file() else []
    for part in parts:
        if part not in done:
            run(part)
            done.append(part)
            keep(done)
    keep([part for part in done if part not in parts])  # all is done: the next call measures anew


if __name__ == "__main__":
    main()
