"""Runs workers by turns, so that the load of the machine falls on all alike."""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from build import python_of

HERE = pathlib.Path(__file__).parent


class Worker:
    """A peer on a problem in its own process."""

    def __init__(self, python, method: str, problem: str, data: pathlib.Path):
        command = [str(python), str(HERE / "worker.py"), method, problem, str(data)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        first = self.process.stdout.readline()
        self.facts = json.loads(first) if first else None
        self.times = []

    def run(self) -> float:
        """Seconds of one run."""
        return float(self._ask("run"))

    def answer(self) -> np.ndarray:
        """The last result."""
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/answer.npy"
            self._ask(f"answer {path}")
            return np.load(path)

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, line: str) -> str:
        print(line, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()


def race(problem: str, data: dict, methods, folder, objective, runs: int = 7) -> dict:
    """A row for each method: seconds, objective in float64, facts; or "not compared"."""
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "data.npz"
        np.savez(path, **data)
        workers = {}
        for name in methods:
            peer = name.split("_")[0]
            python = sys.executable if peer == "jaxip" else python_of(folder, peer)
            worker = Worker(python, name, problem, path) if pathlib.Path(python).exists() else None
            workers[name] = worker if worker and worker.facts else None
        present = {name: worker for name, worker in workers.items() if worker}
        first = {name: worker.run() for name, worker in present.items()}
        for _ in range(runs):
            for worker in present.values():
                worker.times.append(worker.run())
        table = {name: "not compared" for name in methods}
        for name, worker in present.items():
            table[name] = {
                **worker.facts,
                "objective": objective(worker.answer()),
                "first_s": first[name],
                "min_s": min(worker.times),
                "median_s": statistics.median(worker.times),
            }
            worker.close()
    return table


def ratios(table: dict, ours: str, key: str) -> dict:
    """The time of each peer over ours, by `key` ("min_s" or "median_s"), an iteration each."""
    rows = {name: row for name, row in table.items() if row != "not compared"}
    per = {name: row[key] / row.get("iterations", 1) for name, row in rows.items()}
    return {name: round(time / per[ours], 2) for name, time in per.items() if name != ours}
