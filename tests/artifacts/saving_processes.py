"""What the tests of saving run in processes of its own: `python saving_processes.py WHAT FOLDER …`, JSON on stdout."""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np

from shortlist import artifacts
from shortlist.artifacts import State
from shortlist.errors import ArtifactError


def state_of(number, size=300):
    """Return a state that tells its number from every array, so that a mixture of two cannot pass for one."""
    arrays = {f"array{n}": np.full(size + n, 10 * number + n) for n in range(4)}
    arrays["same in all"] = np.arange(50)
    return State(
        "Numbered", {"number": number}, arrays, {"part": State("Part", {}, {"n": np.full(3, number)})}
    )


def number_of(folder):
    """Return the number of the whole artifact in `folder`."""
    state, info = artifacts.read(folder)
    number = state.values["number"]
    assert info == {"number": number}
    assert (state.parts["part"].arrays["n"] == number).all()
    for n in range(4):
        assert (state.arrays[f"array{n}"] == 10 * number + n).all()
    return number


def save(folder, number, size=300):
    artifacts.write(folder, state_of(number, size), {"number": number})


def left_behind(folder):
    """Return what is in the folder beside the artifact."""
    document = json.loads((folder / "manifest.json").read_text())
    named = {entry["sha256"] + ".safetensors" for entry in entries(document["state"])}
    own = {"manifest.json", "arrays"}
    return [e.name for e in folder.iterdir() if e.name not in own] + [
        e.name for e in (folder / "arrays").iterdir() if e.name not in named
    ]


def entries(tree):
    yield from tree["arrays"].values()
    for part in tree["parts"].values():
        yield from entries(part)


def in_a_child(work):
    """Return the process id of a fork that has begun to do `work`, and then ends."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writer, b"begun")
            work()
            status = 0
        except KeyboardInterrupt:
            status = 130
        finally:
            os._exit(status)
    os.close(writer)
    os.read(reader, 5)
    os.close(reader)
    return child


def stopped(folder, with_signal, rounds, seed):
    """Stop a saver at a random moment, again and again; return how it went."""
    rng = np.random.default_rng(seed)
    save(folder, 0)
    begun = time.perf_counter()
    for number in range(1, 6):
        save(folder, number)
    usual = (time.perf_counter() - begun) / 5
    old, replaced, litter = number_of(folder), 0, set()
    for start in range(10, 10 * (rounds + 1), 10):
        child = in_a_child(lambda first=start: [save(folder, first + n) for n in range(10)])
        time.sleep(rng.uniform(0, 2 * usual))
        os.kill(child, with_signal)
        os.waitpid(child, 0)
        found = number_of(folder)
        assert found == old or start <= found < start + 10, (found, old, start)
        replaced += found != old
        litter |= {name[:9] for name in left_behind(folder)}
        old = found
    save(folder, 7)
    assert number_of(folder) == 7
    return {"replaced": replaced, "litter": sorted(litter), "left": left_behind(folder)}


def save_for(folder, seconds, first):
    """Save one number after the other from `first` on, in steps of two; return how many."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        save(folder, first + 2 * count)
        count += 1
    return {"saved": count}


def fail_for(folder, seconds):
    """Begin saves that fail when their arrays are written."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        try:
            artifacts.write(folder, State("Wrong", {"nan": float("nan")}, {"a": np.arange(count)}), {})
        except ArtifactError as error:
            if "JSON" not in str(error):
                raise
        count += 1
    return {"failed": count}


def load_for(folder, seconds):
    """Load until the time is over; return how often, and how many different artifacts were seen."""
    until, seen, count = time.monotonic() + seconds, set(), 0
    while time.monotonic() < until:
        seen.add(number_of(folder))
        count += 1
    return {"loaded": count, "different": len(seen)}


def fill(folder):
    """Save where more and more space is left; return how each save went."""
    filler, place, new = folder / "filler", folder / "model", folder / "deep" / "new"
    save(place, 1)
    outcomes = []
    for free in range(28):
        space = os.statvfs(folder)
        filler.write_bytes(bytes((space.f_bavail - free) * space.f_frsize))
        outcomes += [attempt(place, 1500), attempt(new, 1500)]
        filler.unlink()
        settle(place, new)
    return outcomes


def limited(folder):
    """Save under larger and larger limits to the size of a file; return how each save went."""
    place, new = folder / "model", folder / "deep" / "new"
    save(place, 1)
    outcomes = []
    for limit in range(0, 6000, 250):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        outcomes += [attempt(place, 500), attempt(new, 500)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        settle(place, new)
    return outcomes


def attempt(folder, size):
    """Return how a save of number 2 went: "saved", or the message of its error."""
    was_there = folder.parent.exists()
    try:
        save(folder, 2, size)
    except ArtifactError as error:
        assert folder.parent.exists() == was_there
        return str(error)
    return "saved"


def settle(place, new):
    """Check what the attempts left, and put back what was there before them."""
    assert number_of(place) in {1, 2}
    assert left_behind(place) == []
    save(place, 1)
    if new.exists():
        assert number_of(new) == 2
        assert left_behind(new) == []
        remove(new.parent)


def remove(folder):
    for entry in folder.iterdir():
        remove(entry) if entry.is_dir() else entry.unlink()
    folder.rmdir()


WORK = {
    "kill": lambda folder, rounds, seed: stopped(folder, signal.SIGKILL, int(rounds), int(seed)),
    "interrupt": lambda folder, rounds, seed: stopped(folder, signal.SIGINT, int(rounds), int(seed)),
    "save": lambda folder, seconds, first: save_for(folder, float(seconds), int(first)),
    "fail": lambda folder, seconds: fail_for(folder, float(seconds)),
    "load": lambda folder, seconds: load_for(folder, float(seconds)),
    "fill": fill,
    "limit": limited,
}

if __name__ == "__main__":
    what, where, *arguments = sys.argv[1:]
    sys.stdout.write(json.dumps(WORK[what](Path(where), *arguments)) + "\n")
