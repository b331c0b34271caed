"""Weights on disk: a round trip in float32, and one clear ValueError for every bad file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from jaxip.networks import unet
from jaxip.training import load, save


def tree(key):
    a, b = jax.random.split(key)
    return {
        "real": jax.random.normal(a, (3, 2)),
        "complex": (jax.random.normal(b, (4,), jnp.result_type(0.0, jnp.complex64)),),
        "count": jnp.arange(3),
        "scalar": jnp.asarray(1.5),
        "name": "not an array",
    }


def test_round_trip_to_float32(getkey, tmp_path):
    net, path = tree(getkey()), tmp_path / "w.safetensors"
    save(path, net)
    back = load(path, tree(getkey()))
    assert back["name"] == net["name"]
    for name in ("real", "count", "scalar"):
        assert back[name].dtype == net[name].dtype and back[name].shape == net[name].shape
        assert np.array_equal(np.float32(back[name]), np.float32(net[name]))
    assert np.array_equal(np.complex64(back["complex"][0]), np.complex64(net["complex"][0]))
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_network_round_trip(getkey, tmp_path):
    net, path = unet(features=(2, 3), key=getkey()), tmp_path / "w.safetensors"
    save(path, net)
    back = load(path, unet(features=(2, 3), key=getkey()))
    x = jax.random.normal(getkey(), (6, 6), jnp.complex64)
    assert jnp.array_equal(net(x), back(x))
    names = safetensors.numpy.load_file(path).keys()
    assert "params.first.kernel" in names


@pytest.mark.parametrize("keep", [0, 4, 30, 200, -1])
def test_truncated_files_are_refused(keep, getkey, tmp_path):
    net, path = tree(getkey()), tmp_path / "w.safetensors"
    save(path, net)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"w\.safetensors is no readable safetensors file"):
        load(path, net)


def test_missing_foreign_and_broken_files_are_refused(getkey, tmp_path):
    net, path = tree(getkey()), tmp_path / "w.safetensors"
    with pytest.raises(ValueError, match="no such file"):
        load(path, net)
    path.write_text("an ordinary text file, longer than eight bytes")
    with pytest.raises(ValueError, match="no readable safetensors"):
        load(path, net)
    save(path, {"real": net["real"]})
    with pytest.raises(ValueError, match="holds 1 arrays, the net 4"):
        load(path, net)
    save(path, {**net, "real": jnp.ones((2, 3))})
    with pytest.raises(ValueError, match=r"real has shape \(2, 3\), but the net needs \(3, 2\)"):
        load(path, net)
    save(path, {**net, "scalar": jnp.asarray(jnp.inf)})
    with pytest.raises(ValueError, match="scalar holds values that are not finite"):
        load(path, net)
