"""A command sets JAX's options; the other tests want their own."""

import jax
import pytest

OPTIONS = ("jax_enable_x64", "jax_persistent_cache_min_compile_time_secs")


@pytest.fixture(autouse=True)
def keep_settings():
    """Put back what a command has set."""
    before = {name: jax.config.values[name] for name in OPTIONS}
    yield
    for name, value in before.items():
        jax.config.update(name, value)
