"""64-bit, four CPU devices, a persistent compilation cache, and one key per test."""

import os
import pathlib

import jax
import pytest

if os.environ.get("JAXIP_TEST_TYPES", "0") == "1":
    import typed

    typed.install()

X64 = os.environ.get("JAXIP_TEST_X64", "1") == "1"
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_enable_x64", X64)
jax.config.update(
    "jax_compilation_cache_dir",
    os.environ.get(
        "JAX_COMPILATION_CACHE_DIR", str(pathlib.Path.home() / ".cache" / "jaxip" / "tests")
    ),
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

DATA = pathlib.Path(
    os.environ.get("JAXIP_DATA", pathlib.Path(__file__).resolve().parents[2] / "shared" / "data")
)


# minutes in all: `pytest -m deep`, the second step of CI
DEEP = {
    "interop", "unrolled", "test_adversarial.py", "test_bounds.py", "test_calibration.py",
    "test_certify.py", "test_complex_distance.py", "test_conditions.py", "test_digits.py",
    "test_instability.py", "test_learned_parameters.py", "test_least_squares.py",
    "test_nesta.py", "test_nufft.py", "test_oracles.py", "test_peers_defects.py",
    "test_radon.py", "test_restarts.py",
    "test_stand_ins.py", "test_undecimated.py", "test_unet_recipe.py", "test_weights.py",
    "test_working_set.py",
}  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests marked x64 state properties of float64 and are left out of the 32-bit pass."""
    for item in items:
        if DEEP & {item.path.name, item.path.parent.name}:
            item.add_marker(pytest.mark.deep)
        if not X64 and item.get_closest_marker("x64"):
            item.add_marker(pytest.mark.skip(reason="x64: a property of float64"))


def pytest_runtest_teardown(item, nextitem):
    """Drop the programs of a file: thousands of them exhaust the memory maps of a process."""
    if nextitem is None or nextitem.path != item.path:
        jax.clear_caches()


@pytest.fixture
def getkey():
    """A function that gives a new key at each call."""
    state = [jax.random.key(2026)]

    def next_key():
        state[0], key = jax.random.split(state[0])
        return key

    return next_key


@pytest.fixture
def data_folder() -> pathlib.Path:
    """The folder of real data; a test that needs it skips where it is absent, and is counted."""
    if not DATA.is_dir():
        pytest.skip(f"data: no folder {DATA.name}; set JAXIP_DATA")
    return DATA


@pytest.fixture
def x64() -> bool:
    """Whether this run has 64-bit arrays."""
    return X64
