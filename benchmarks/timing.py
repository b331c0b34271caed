"""Shared by the benchmarks of speed: one clock, and what the machine was doing."""

import json
import os
import pathlib
import statistics
import time

RESULTS = pathlib.Path(__file__).parent / "results"


def measure(function, repeats: int = 40, seconds: float = 10.0) -> dict:
    """First call, median and minimum in ms; `function` must wait for its own result."""
    return by_turns({"it": function}, repeats, seconds)["it"]


def by_turns(functions: dict, repeats: int = 40, seconds: float = 10.0) -> dict:
    """As `measure`, for each of the functions, called in turn: they meet the same load."""
    first = {name: _seconds(function) for name, function in functions.items()}
    for function in functions.values():
        function()
    times, stop = {name: [] for name in functions}, time.perf_counter() + seconds
    for count in range(repeats):
        if count >= 5 and time.perf_counter() > stop:
            break
        for name, function in functions.items():
            times[name].append(_seconds(function))
    return {
        name: {
            "first_call_ms": round(1e3 * first[name], 1),
            "median_ms": round(1e3 * statistics.median(row), 3),
            "min_ms": round(1e3 * min(row), 3),
            "runs": len(row),
        }
        for name, row in times.items()
    }


def _seconds(function) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def machine() -> dict:
    """Cores, and the load when the run began."""
    return {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}


def save(name: str, result: dict, *, show: bool = True) -> None:
    """Write `results/<name>.json`, and show it."""
    if show:
        print(json.dumps(result, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
