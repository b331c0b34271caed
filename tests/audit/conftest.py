"""The small setting that the tests of reports share: two maps on a masked grid, audited once."""

import jax
import jax.numpy as jnp
import pytest
from small_maps import SHAPE, Gain, figures

import jaxip as ip
from jaxip import audit, operators, problems


@pytest.fixture(scope="package")
def setting():
    mask = jnp.ones(SHAPE, jnp.float32).at[1::3].set(0).at[6].set(1)
    A = operators.SubsampledFourier(mask)
    image = jnp.zeros(SHAPE, jnp.complex64).at[3:8, 4:9].set(1)
    noise = jax.random.normal(jax.random.key(2), SHAPE, jnp.complex64) * mask
    y = A @ image + 0.02 * noise
    lasso = ip.Reconstruction(problems.Lasso(A, jnp.float32(0.02)), gap=1e-3)
    maps = {"zero filling": Gain(A, jnp.float32(1.0)), "sparse": lasso}
    return maps, A, image, y


@pytest.fixture(scope="package")
def report(setting):
    maps, A, image, y = setting
    return audit.run(
        maps, A, image[None], y[None], radii=(0.01, 0.05), key=jax.random.key(0), tolerance=5.0
    )


@pytest.fixture
def folder(report, tmp_path):
    return report.save(tmp_path / "report", figures=figures)
