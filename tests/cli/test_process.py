"""Real processes: signals, pipes, full disks, names of any bytes, files that may not be read."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

MAIN = "import sys; sys.argv[0] = 'jaxip'; from jaxip.cli import main; main()"
ROOT = str(pathlib.Path(__file__).resolve().parents[2])
FILES = ["image.npy", "image.png", "report.html", "summary.json"]


# a job in the background of a shell ignores Ctrl-C, and so would its children
HEED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "


def start(folder, *arguments, environment=None, first="", before=(), **options):
    """A process of the command line in a folder."""
    settings = os.environ | {"PYTHONPATH": ROOT, "JAX_PLATFORMS": "cpu"} | (environment or {})
    code = HEED + first + MAIN
    words = [*before, sys.executable, "-c", code, *(os.fsencode(str(a)) for a in arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(words, cwd=folder, env=settings, **pipes)


def finish(process):
    """`(exit code, stdout, stderr)`."""
    out, error = process.communicate(timeout=120)
    return process.returncode, (out or b"").decode(), (error or b"").decode()


def assert_one_line(error: str):
    assert error.startswith("jaxip: ") and error.count("\n") == 1, error


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.standard_normal((2, 32, 24)) * (rng.random((32, 24)) < 0.7)
    np.save(tmp_path / "k.npy", y[0] + 1j * y[1])
    return tmp_path


SHORT = ["reconstruct", "k.npy", "--max-steps", "10", "--out", "a/out"]


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


DELAYS = [0.05, 0.1, 0.2, 0.3, 0.5]
LONG = [pytest.param(delay, marks=pytest.mark.deep) for delay in (0.7, 1.0, 1.5, 2.5, 4.0)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [*DELAYS, *LONG])
def test_a_signal_leaves_one_line_and_no_folder(delay, number, folder):
    """From the first import on, which is the package's own; python's start is not ours."""
    steps = ["--max-steps", "10000000", "--gap", "1e-15"]
    ready = "import os, typing; os.write(1, b'ready'); "
    process = start(folder, "reconstruct", "k.npy", "--out", "a/out", *steps, first=ready)
    assert process.stdout.read(5) == b"ready"
    time.sleep(delay)
    process.send_signal(number)
    code, _, error = finish(process)
    if number == signal.SIGTERM and code == -number:
        assert error == ""  # before the handler: python ends without a word
        return
    assert code == 130, error
    assert_one_line(error)
    assert names(folder) == ["k.npy"]


def test_a_platform_that_is_not_there(folder):
    for platform in ("cuda", "soup"):
        code, out, error = finish(start(folder, *SHORT, environment={"JAX_PLATFORMS": platform}))
        assert (code, out) == (2, "") and platform in error
        assert_one_line(error)
    assert names(folder) == ["k.npy"]


STRICT = {
    "MPLBACKEND": "nonsense",
    "JAX_DEBUG_NANS": "1",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
}


def test_settings_of_other_code_lose_no_result(folder):
    code, _, error = finish(start(folder, *SHORT, environment=STRICT))
    assert code in (0, 3) and error == "", error
    assert {f"a/out/{name}" for name in FILES} <= set(names(folder))


@pytest.mark.parametrize(
    "target", ["closed pipe", pytest.param("full disk", marks=pytest.mark.deep)]
)
def test_words_that_cannot_be_printed_lose_no_result(target, folder):
    if target == "full disk":
        if not os.path.exists("/dev/full"):
            pytest.skip("there is no /dev/full")
        with open("/dev/full", "wb") as stream:
            code, _, error = finish(start(folder, *SHORT, stdout=stream))
    else:
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as stream:
            code, _, error = finish(start(folder, *SHORT, stdout=stream))
    assert (code, error) == (0, "")
    assert sorted(os.listdir(folder / "a" / "out")) == FILES


@pytest.mark.deep
def test_names_of_any_bytes(folder):
    raw = os.fsdecode(b"\xff\xfe k\n.npy")
    (folder / "k.npy").rename(folder / raw)
    out = os.fsdecode(b"out\xff")
    plain = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    words = ["reconstruct", raw, "--max-steps", "10", "--out", out]
    code, _, error = finish(start(folder, *words, environment=plain))
    assert (code, error) == (0, "")
    assert sorted(os.listdir(folder / out)) == FILES
    assert json.loads((folder / out / "summary.json").read_text())["file"] == raw
    code, _, error = finish(start(folder, "reconstruct", raw + "x", environment=plain))
    assert code == 2
    assert_one_line(error)


@pytest.mark.parametrize("what", ["file", "folder", "parent"])
def test_what_may_not_be_read_or_written(what, folder):
    """Without the privilege of a user who may do everything."""
    before = []
    if os.geteuid() == 0:
        before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if shutil.which(before[0]) is None:
            pytest.skip("there is no setpriv")
    (folder / "k.npy").chmod(0o000 if what == "file" else 0o644)
    (folder / "out").mkdir(mode=0o555)
    out = {"file": "other", "folder": "out", "parent": "out/a/b"}[what]
    code, _, error = finish(start(folder, "reconstruct", "k.npy", "--out", out, before=before))
    assert code == 2 and ("permission denied" in error or "not readable" in error), error
    assert_one_line(error)
    assert names(folder) == ["k.npy", "out"]


@pytest.mark.parametrize(
    "how",
    [
        "linked disk",
        *(pytest.param(how, marks=pytest.mark.deep) for how in ("full", "mount point")),
    ],
)
def test_a_disk_of_its_own(how, folder):
    """A mount point takes the result; a disk that fills up at the end sends it elsewhere."""
    other = pathlib.Path("/dev/shm")
    if how == "linked disk":
        if not other.is_dir() or other.stat().st_dev == folder.stat().st_dev:
            pytest.skip("there is no second disk")
        target = other / f"jaxip-{os.getpid()}"
        target.mkdir()
        (folder / "a").mkdir()
        (folder / "a" / "out").symlink_to(target)
        code, _, error = finish(start(folder, *SHORT))
        found = sorted(os.listdir(target))
        subprocess.run(["rm", "-r", target], check=True)
        assert (code, error, found) == (0, "", FILES)
        return
    size = "16k" if how == "full" else "4m"
    inner = f'mount -t tmpfs -o size={size} none a/out && "$@"; code=$?; ls a/out >&2; exit $code'
    (folder / "a" / "out").mkdir(parents=True)
    (folder / "temporary").mkdir()
    probe = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none a/out"]
    try:
        allowed = not subprocess.run(probe, cwd=folder, capture_output=True).returncode
    except OSError:
        allowed = False
    if not allowed:
        pytest.skip("this user may not mount")
    settings = os.environ | {"PYTHONPATH": ROOT, "TMPDIR": str(folder / "temporary")}
    words = ["unshare", "-m", "sh", "-c", inner, "sh", sys.executable, "-c", MAIN, *SHORT]
    done = subprocess.run(words, cwd=folder, env=settings, capture_output=True, text=True)
    if how == "full":
        assert done.returncode == 1 and "no space left" in done.stderr
        assert_one_line(done.stderr)
        (place,) = (folder / "temporary").iterdir()
        assert str(place) in done.stderr and sorted(os.listdir(place)) == FILES
    else:
        assert done.returncode == 0 and done.stderr.split() == FILES
