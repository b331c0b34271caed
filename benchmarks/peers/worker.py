"""One peer on one problem, in its own environment: `python worker.py METHOD PROBLEM DATA.npz`.

Speaks in lines: answers `run` with the seconds that a run took, `answer FILE` by saving the
result as npy, and ends with its input. The first line it writes is what the method says of itself.
"""

import importlib
import json
import sys
import time

import numpy as np


def main():
    """Prepare, then obey."""
    replies = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no reply
    method, problem, path = sys.argv[1:]
    module = importlib.import_module(f"with_{method}")
    prepare = vars(module).get(problem)
    if prepare is None:
        sys.exit(f"{method} has no rival for {problem}")
    run, answer, facts = prepare(dict(np.load(path)))
    print(json.dumps(facts), file=replies, flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "run":
            begin = time.perf_counter()
            run()
            print(time.perf_counter() - begin, file=replies, flush=True)
        else:
            np.save(words[1], np.asarray(answer()))
            print("saved", file=replies, flush=True)


if __name__ == "__main__":
    main()
