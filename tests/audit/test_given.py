"""What an audit is given: wrong shapes, kinds and maps end in one line, before any attack."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxip import audit, operators
from jaxip.audit import _run
from jaxip.audit.target._answers import Evaluator

SHAPE = (6, 8)
A = operators.SubsampledFourier(jnp.ones(SHAPE, jnp.float32))
X = jnp.zeros(SHAPE, jnp.complex64).at[2:4, 1:5].set(1)
Y = A @ X


@pytest.fixture
def no_attack(monkeypatch):
    def attacked(*_, **__):
        raise AssertionError("an attack began")

    monkeypatch.setattr(_run, "chain", attacked)
    monkeypatch.setattr(_run, "run_canaries", attacked)


def _run_on(maps, images=X[None], measurements=Y[None], **options):
    return audit.run(maps, A, images, measurements, key=jax.random.key(0), **options)


def _raises(u):
    raise KeyError("no weights\nfor this scan")


BAD_ANSWERS = {
    "batch axis": (lambda u: A.rmv(u)[None], "complex64[1, 6, 8]", "f(y)[0]"),
    "channel last": (lambda u: A.rmv(u)[..., None], "complex64[6, 8, 1]", "f(y)[..., 0]"),
    "planes first": (
        lambda u: jnp.stack([A.rmv(u).real, A.rmv(u).imag]), "float32[2, 6, 8]", "x[0] + 1j * x[1]",
    ),
    "planes last": (
        lambda u: jnp.stack([A.rmv(u).real] * 2, -1), "float32[6, 8, 2]", "1j * x[..., 1]",
    ),
    "transposed": (lambda u: A.rmv(u).T, "complex64[8, 6]", "one image of that shape"),
    "scalar": (lambda u: jnp.sum(A.rmv(u)), "complex64[]", "one image"),
    "tuple": (lambda u: (A.rmv(u), 1.0), "a tuple of complex64[6, 8]", "the image alone"),
    "dict": (lambda u: {"image": A.rmv(u)}, "a dict of complex64[6, 8]", "the image alone"),
    "nothing": (lambda u: None, "nothing", "the image alone"),
    "words": (lambda u: "done", "str", "no numbers"),
    "nan": (lambda u: A.rmv(u) * jnp.nan, "not finite at y itself", ""),
    "raises": (_raises, "raised KeyError: 'no weights", "at the clean data"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_ANSWERS)
@pytest.mark.parametrize("box", [False, True])
def test_a_wrong_answer_is_one_line_before_any_attack(no_attack, kind, box):
    function, got, hint = BAD_ANSWERS[kind]
    as_box = lambda u: jax.tree.map(np.asarray, function(jnp.asarray(np.asarray(u))))
    maps = {"good": A.H, "mine": as_box if box else function}
    with pytest.raises(ValueError) as caught:
        _run_on(maps)
    message = str(caught.value)
    assert message.startswith("mine ") and "\n" not in message
    if not (box and kind in ("nothing", "words")):
        assert got in message and hint in message, message


NAN = Y.at[0, 0].set(jnp.nan)
BAD_INPUT = {
    "image alone": ({"images": X}, ValueError, "images=x[None]"),
    "datum alone": ({"measurements": Y}, ValueError, "measurements=y[None]"),
    "nan without images": ({"images": None, "measurements": NAN[None]}, ValueError, "not finite"),
    "second datum": (
        {"images": None, "measurements": [Y, Y[:3]]}, ValueError, "number 2 is complex64[3, 8]",
    ),
    "second image": ({"images": [X, X[:, :2]], "measurements": [Y, Y]}, ValueError, "number 2"),
    "integers": ({"measurements": np.ones((1, *SHAPE), int)}, ValueError, "floating"),
    "no energy": ({"images": None, "measurements": 0 * Y[None]}, ValueError, "relative to |y|"),
    "none": ({"images": None, "measurements": Y[None][:0]}, ValueError, "empty"),
    "counts": ({"images": X[None], "measurements": jnp.stack([Y, Y])}, ValueError, "1 images"),
    "list of maps": ({"maps": [A.H]}, TypeError, "but got list"),
    "no map": ({"maps": {"mine": 3}}, TypeError, "is int"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_wrong_input_is_one_line_before_any_attack(no_attack, kind):
    change, error, message = BAD_INPUT[kind]
    with pytest.raises(error) as caught:
        _run_on(**({"maps": {"mine": A.H}} | change))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_one_map_is_called_map(monkeypatch):
    budget = audit.LEVELS["quick"]._replace(calls=60, restarts=1)
    monkeypatch.setitem(audit.LEVELS, "quick", budget)
    report = _run_on(A.H, radii=(0.05,))
    assert report.names == ("map",) and report.verdicts[0].word == "certified"


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float16", "bfloat16"])
def test_numbers_of_any_kind_are_compared_as_float64(dtype):
    """Differences of uint8 wrap around, and numpy stores no bfloat16."""
    f = lambda u: jnp.where(jnp.abs(u) > 0.5, 3, 0).astype(dtype)
    y = jnp.linspace(0, 1, 8)
    evaluate = Evaluator(f, y)
    assert evaluate.clean.dtype == np.float64
    high = 1 if dtype == "bool" else 3
    np.testing.assert_array_equal(evaluate.clean, high * (np.linspace(0, 1, 8) > 0.5))


class Recorder:
    """Keeps what it was called with."""

    def __init__(self):
        self.seen = []

    def __call__(self, u):
        self.seen.append(u)
        return np.asarray(u) * 2.0


def test_numbers_come_before_any_trace():
    box = Recorder()
    evaluate = Evaluator(box, Y)
    assert not isinstance(box.seen[0], jax.core.Tracer) and not evaluate.compiled
    assert isinstance(box.seen[-1], np.ndarray) and box.seen[-1].flags.writeable
    evaluate(Y)
    assert box.seen[-1] is not box.seen[-2]


def test_boolean_indexing_and_item_assignment_are_boxes():
    def positive(u):
        u[u.real < 0] = 0
        return u

    evaluate = Evaluator(positive, Y)
    assert not evaluate.compiled and evaluate.spread == 0
    expected = np.where(np.asarray(Y).real < 0, 0, np.asarray(Y))
    np.testing.assert_array_equal(evaluate.clean, expected)


class Training(nnx.Module):
    """Its running statistics change at each call."""

    def __init__(self):
        self.norm = nnx.BatchNorm(SHAPE[-1], rngs=nnx.Rngs(0), use_running_average=False)

    def __call__(self, u):
        return A.rmv(u) * self.norm(jnp.abs(u))


def test_an_nnx_module_in_training_mode_does_not_end_the_audit(getkey):
    attack = audit.worst_case(Training(), Y, 0.1, key=getkey())
    assert np.isfinite(attack.distance)


def test_a_map_that_changes_its_shape_elsewhere_is_a_witness(getkey):
    def cut(u):
        return np.asarray(u)[: 6 if np.linalg.norm(u - np.asarray(Y)) < 1e-6 else 5]

    attack = audit.worst_case(cut, Y, 0.1, key=getkey())
    assert "complex64[5, 8] here, but complex64[6, 8] at y" in attack.trouble


def test_a_reference_of_another_shape_is_refused(getkey):
    with pytest.raises(ValueError, match=r"reference is complex64\[6, 8, 1\]"):
        audit.worst_case(A.H, Y, 0.1, key=getkey(), reference=X[..., None])
