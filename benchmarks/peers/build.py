"""Environments of the peers: `python benchmarks/peers/build.py FOLDER [NAME ...]`.

One virtual environment a peer, `FOLDER/<name>`, from `requirements/<name>.txt` by pip. A peer
that cannot be installed is named, and is a row "not compared" of the table.
"""

import pathlib
import subprocess
import sys
import venv

REQUIREMENTS = pathlib.Path(__file__).parent / "requirements"


def python_of(folder: pathlib.Path, name: str) -> pathlib.Path:
    """The interpreter of a peer's environment."""
    return folder / name / "bin" / "python"


def build(folder: pathlib.Path, name: str) -> bool:
    """Whether the peer could be installed."""
    venv.create(folder / name, with_pip=True, clear=True)
    wanted = REQUIREMENTS / f"{name}.txt"
    command = [python_of(folder, name), "-m", "pip", "install", "-q", "-r", wanted]
    return subprocess.run(command).returncode == 0


def main():
    """Build all peers, or those named."""
    folder = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))
    for name in names:
        print(f"{name}: {'built' if build(folder, name) else 'not installed'}", flush=True)


if __name__ == "__main__":
    main()
