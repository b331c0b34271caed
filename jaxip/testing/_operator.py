"""Whether an operator is linear, has the adjoint it says, and keeps its other promises."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._signature import door
from jaxip._tree import from_real, structure_of, to_float32, to_float64, to_real, tree_size
from jaxip._types import PRNGKeyArray, PyTree, Structure
from jaxip.operators import AbstractLinearOperator
from jaxip.testing._proof import proof_rows
from jaxip.testing._table import Row, Table, ratio, truth

SMALL = 200  # up to so many real unknowns the whole matrix is read off
PROBES = 6
POWER_STEPS = 30
FOUND = 0.1  # of `|A|`: what power iteration may fall short of it


@door
def check_operator(
    A: AbstractLinearOperator, key: PRNGKeyArray, *, tolerance: float = 100.0
) -> Table:
    """A table of what `A` promises, measured in units that go with each promise.

    Linearity, adjoint, derivatives, jit and vmap in multiples of the norm; the bracket of
    `norm_bounds` against the singular value (small A) or vectors found; structures, dtypes, Gram
    diagonals, the rounding constants (where there are such, and 64-bit arrays), the error for a
    wrong shape. All else that a proof may use, where it is stated: `absolute_sums`, and the rules
    of an analysis operator. A linear map between complex spaces must be complex-linear. Small
    operators are read off entirely, others at random vectors and by iteration.

    - `A`: the operator.
    - `key`: of `jax.random`, for the vectors.
    - `tolerance`: eps of the norm that linearity, adjoint, derivatives, jit and vmap may be off;
      100, for sums of many terms round.
    """
    rows = [_structure_row(A)]
    if not rows[0].holds:
        return Table(f"check_operator {type(A).__name__}", rows)
    xs, ys = _probes(A.in_structure(), key, 1), _probes(A.out_structure(), key, 2)
    with jax.default_matmul_precision("highest"):
        found = jax.tree.map(lambda v: np.asarray(v, np.float64), _everything(A, xs, ys))
    eps = float(np.finfo(jax.tree.leaves(A.in_structure())[0].dtype).eps)
    allowed = tolerance * eps
    rows += _linear_rows(found, allowed)
    rows += _adjoint_rows(A, found, allowed)
    rows += _derivative_rows(found, allowed)
    rows += _bound_rows(found, allowed)
    rows += _gram_rows(A, found, allowed)
    rows += _rounding_rows(A, found, eps)
    rows += proof_rows(A, xs, _matrix(found), _norm(found), allowed)
    rows += _parameter_rows(A, found)
    rows += [_eager_row(A, found, allowed), _shape_row(A)]
    return Table(f"check_operator {type(A).__name__}", rows)


def _structure_row(A) -> Row:
    """`mv` and `rmv` give what the structures say, in shape and dtype."""
    try:
        forward = jax.eval_shape(A.mv, A.in_structure())
        backward = jax.eval_shape(A.rmv, A.out_structure())
    except (TypeError, ValueError) as error:
        return truth("structures", False, f"mv or rmv does not take them: {error}")
    for name, got, want in (
        ("mv", forward, A.out_structure()),
        ("rmv", backward, A.in_structure()),
    ):
        got, want = structure_of(got), structure_of(want)
        if got != want:
            return truth("structures", False, f"{name} gives {got}, but {want} is declared")
    return truth("structures", True)


def _probes(structure: Structure, key: PRNGKeyArray, salt: int) -> np.ndarray:
    """Rows of real coordinates: the whole basis of a small space, and random vectors."""
    size = tree_size(structure)
    seed = np.asarray(jax.random.key_data(jax.random.fold_in(key, salt))).ravel()
    random = np.random.default_rng(seed).standard_normal((PROBES, size))
    basis = np.eye(size) if size <= SMALL else np.zeros((0, size))
    dtype = np.finfo(jax.tree.leaves(structure)[0].dtype).dtype
    return np.concatenate([random, basis]).astype(dtype)


@eqx.filter_jit
def _everything(A, xs, ys) -> dict[str, Any]:
    """All that is computed of A, in real coordinates: one program for one operator."""
    into, out = A.in_structure(), A.out_structure()
    image = lambda v: to_real(A.mv(from_real(v, into)))
    offset = image(jnp.zeros_like(xs[0]))
    forward = lambda v: image(v) - offset  # an affine map fails its own row, and no other
    backward = lambda v: to_real(A.rmv(from_real(v, out)))
    x, y = xs[0], ys[0]
    _, tangent = jax.jvp(forward, (x,), (xs[1],))
    (pulled,) = jax.vjp(forward, x)[1](y)
    row, column = A.row_gram(), A.column_gram()
    turned = _turn(xs[:PROBES], into)
    return {
        "xs": xs, "ys": ys,
        "forward": jax.vmap(forward)(xs), "backward": jax.vmap(backward)(ys),
        "zero": offset, "sum": forward(2 * xs[0] - 3 * xs[1]),
        "turned": None if turned is None else jax.vmap(forward)(turned),
        "of turned": None if turned is None else _turn(jax.vmap(forward)(xs[:PROBES]), out),
        "alone": forward(x), "tangent": tangent, "pulled": pulled,
        "top": None if len(xs) > PROBES else _top(A, x),
        "bounds": jnp.stack([jnp.asarray(b) for b in A.norm_bounds()]),
        "row": None if row is None else _spread(row, out),
        "column": None if column is None else _spread(column, into),
        "curvature": _curvature(A, x),
        "row product": None if row is None else jax.vmap(lambda v: forward(backward(v)))(ys),
        "column product": None if column is None else jax.vmap(lambda v: backward(forward(v)))(xs),
    }  # fmt: skip


def _top(A, x):
    """The largest `|A v| / |v|` of vectors v that power iteration finds."""
    into = A.in_structure()

    def turn(v, _):
        image = A.mv(from_real(v / jnp.linalg.norm(v), into))
        size, back = jnp.linalg.norm(to_real(image)), to_real(A.rmv(image))
        return jnp.where(jnp.linalg.norm(back) > 0, back, v), size

    return jnp.max(jax.lax.scan(turn, x, None, length=POWER_STEPS)[1])


def _curvature(A, x):
    """The second derivative of `|A x|^2 / 2` in the arrays of A, and that of its differences."""
    smooth, rest = eqx.partition(A, eqx.is_inexact_array)
    if not jax.tree.leaves(smooth) or jnp.finfo(x.dtype).bits < 64:
        return None
    point = from_real(x, A.in_structure())
    shift = jax.tree.map(lambda v: jnp.max(jnp.abs(v)) * jnp.cos(_count(v)).astype(v.dtype), smooth)

    def value(t):
        moved = jax.tree.map(lambda v, d: v + t.astype(v.dtype) * d, smooth, shift)
        return jnp.sum(to_real(eqx.combine(moved, rest).mv(point)) ** 2) / 2

    slope = lambda t: jax.jvp(value, (t,), (jnp.ones_like(t),))[1]
    zero, step = jnp.zeros((), x.dtype), jnp.asarray(1e-5, x.dtype)
    _, second = jax.jvp(slope, (zero,), (jnp.ones_like(zero),))
    difference = (slope(step) - slope(-step)) / (2 * step)
    return jnp.stack([second, difference, value(zero)])


def _count(v):
    return jnp.arange(v.size, dtype=v.real.dtype).reshape(v.shape)


def _turn(rows, structure: Structure):
    """i times each row, or None where an array is real."""
    leaves = jax.tree.leaves(structure)
    if not all(jnp.issubdtype(v.dtype, jnp.complexfloating) for v in leaves):
        return None
    times_i = lambda v: to_real(jax.tree.map(lambda a: 1j * a, from_real(v, structure)))
    return jax.vmap(times_i)(rows)


def _spread(gram: PyTree | float, like: Structure):
    """The diagonal of a Gram matrix in real coordinates."""
    if jax.tree.structure(gram) != jax.tree.structure(like):
        gram = jax.tree.map(lambda _: gram, like)

    def leaf(g, s):
        full = jnp.broadcast_to(g, s.shape)
        full = full.astype(jnp.finfo(s.dtype).dtype)
        return jax.lax.complex(full, full) if jnp.issubdtype(s.dtype, jnp.complexfloating) else full

    return to_real(jax.tree.map(leaf, gram, like))


def _norm(found) -> float:
    """The largest of what was seen of `|A|`: the singular value of a small A."""
    matrix = _matrix(found)
    if matrix is not None:
        return float(np.linalg.norm(matrix, 2))
    sizes = np.linalg.norm(found["xs"], axis=1)
    seen = np.linalg.norm(found["forward"], axis=1) / sizes
    back = np.linalg.norm(found["backward"], axis=1) / np.linalg.norm(found["ys"], axis=1)
    return float(max(seen.max(), back.max(), found["top"]))


def _matrix(found) -> np.ndarray | None:
    columns = found["forward"][PROBES:]
    return columns.T if len(columns) else None


def _linear_rows(found, allowed: float) -> list[Row]:
    x = found["xs"]
    size = _norm(found) * np.linalg.norm(x, axis=1).max()
    zero = ratio(float(np.linalg.norm(found["zero"])), size)
    combined = 2 * found["forward"][0] - 3 * found["forward"][1]
    linear = ratio(float(np.linalg.norm(found["sum"] - combined)), size)
    rows = [
        Row("A 0 = 0", zero, allowed, "affine: mv adds a constant"),
        Row("additivity", linear, allowed, "not linear"),
    ]
    if found["turned"] is None or found["of turned"] is None:
        return rows
    plus = np.linalg.norm(found["turned"] - found["of turned"])
    minus = np.linalg.norm(found["turned"] + found["of turned"])
    word = "antilinear: A(i x) = -i A(x); a conj too many" if minus <= 1e-3 * plus else (
        "only real-linear: A(i x) is not i A(x)"
    )  # fmt: skip
    rows.append(Row("A(i x) = i A(x)", ratio(float(plus), size), allowed, word))
    return rows


def _adjoint_rows(A, found, allowed: float) -> list[Row]:
    left = found["ys"] @ found["forward"].T
    right = found["backward"] @ found["xs"].T
    size = _norm(found)
    lengths = np.outer(np.linalg.norm(found["ys"], axis=1), np.linalg.norm(found["xs"], axis=1))
    error = float(np.max(np.abs(left - right) / lengths)) / size if size > 0 else 0.0
    return [Row("Re<A x, y> = Re<x, A^H y>", error, allowed, _adjoint_fault(A, found, left, right))]


def _adjoint_fault(A, found, left, right) -> str:
    """What is wrong with `rmv`, as far as it can be told."""
    factor = float(np.sum(left * right) / max(np.sum(left * left), 1e-300))
    if np.max(np.abs(right - factor * left)) <= 1e-3 * np.max(np.abs(right)):
        return f"rmv is {factor:.4g} times the adjoint"
    flip_in, flip_out = _signs(A.in_structure()), _signs(A.out_structure())
    conjugated = (found["backward"] * flip_in) @ found["xs"].T
    transposed = (found["ys"] * flip_out) @ found["forward"].T
    if np.max(np.abs(transposed - conjugated)) <= 1e-3 * np.max(np.abs(left)):
        return "rmv is the transpose A^T, not A^H: a conj is missing"
    return "rmv is not the adjoint of mv (a conj or a factor inside it?)"


def _signs(structure: Structure) -> np.ndarray:
    """-1 at imaginary coordinates: conjugation of a row."""
    ones = jax.tree.map(lambda s: np.ones(s.shape, s.dtype), structure)
    both = jax.tree.map(lambda v: v + 1j * v if np.iscomplexobj(v) else v, ones)
    return np.asarray(to_real(jax.tree.map(np.conj, both)), np.float64)


def _derivative_rows(found, allowed: float) -> list[Row]:
    size = _norm(found)
    length = np.linalg.norm(found["xs"][1])
    jvp = np.linalg.norm(found["tangent"] - found["forward"][1]) / length
    pairing = found["pulled"] @ found["xs"][1] - found["ys"][0] @ found["tangent"]
    vjp = abs(pairing) / (length * np.linalg.norm(found["ys"][0]))
    vmap = np.linalg.norm(found["alone"] - found["forward"][0]) / np.linalg.norm(found["xs"][0])
    return [
        Row("jvp is A", ratio(float(jvp), size), allowed),
        Row("vjp pairs with jvp", ratio(float(vjp), size), allowed),
        Row("vmap = alone", ratio(float(vmap), size), allowed),
    ]


def _bound_rows(found, allowed: float) -> list[Row]:
    lower, upper = (float(b) for b in found["bounds"])
    seen = _norm(found)
    short = allowed if _matrix(found) is not None else FOUND
    rows = [
        Row("norm <= upper bound", ratio(max(0.0, seen - upper), seen), allowed),
        Row("lower bound <= norm", ratio(max(0.0, lower - seen), seen), short),
    ]
    rows.append(truth("lower <= upper bound", lower <= upper * (1 + allowed)))
    return rows


def _gram_rows(A, found, allowed: float) -> list[Row]:
    rows, square = [], _norm(found) ** 2
    for name, side, vectors in (("row", "A A^H", "ys"), ("column", "A^H A", "xs")):
        if found[name] is None:
            continue
        wrong = np.linalg.norm(found[f"{name} product"] - found[name] * found[vectors], axis=1)
        wrong = wrong / np.linalg.norm(found[vectors], axis=1)
        rows.append(Row(f"{name}_gram is {side}", ratio(float(wrong.max()), square), allowed))
    return rows


@eqx.filter_jit
def _rounded(A, xs, ys):
    """Errors of `A x` and `A^H y` in float32, over |x| and |y|; A holds float32 arrays."""
    into, out = A.in_structure(), A.out_structure()
    narrow = to_float32(A)
    wide = to_float64(narrow)

    def error(exact, rounded, structure):
        def one(row):
            v = to_float32(from_real(row, structure))
            want, got = to_real(exact(to_float64(v))), to_real(to_float64(rounded(v)))
            return jnp.linalg.norm(got - want) / jnp.linalg.norm(to_real(to_float64(v)))

        return one

    return (
        jax.vmap(error(wide.mv, narrow.mv, into))(xs),
        jax.vmap(error(wide.rmv, narrow.rmv, out))(ys),
        wide.norm_bounds()[1],
        wide.rounding_norm(),
    )


def _rounding_rows(A, found, eps: float) -> list[Row]:
    """The constant c of `rounding()`, and that of `rounding_norm()`, against float64."""
    constant = A.rounding()
    if not np.isfinite(constant) or eps > 1e-10:
        return []
    some = slice(0, PROBES)
    *errors, upper, product = _rounded(A, found["xs"][some], found["ys"][some])
    unit = float(np.finfo(np.float32).eps) / 2
    worst = max(float(np.max(e)) for e in errors) / unit
    return [
        Row("rounding, in u |A|", ratio(worst, float(upper)), constant),
        Row("rounding_norm, in u", worst, float(product)),
    ]


def _parameter_rows(A, found) -> list[Row]:
    """New values of the arrays keep the program, and derivatives in them are right."""
    moved = jax.tree.map(lambda v: 1.25 * v if eqx.is_inexact_array(v) else v, A)
    same = jax.tree.structure(moved) == jax.tree.structure(A)
    rows = [truth("new values compile nothing", same, "the tree holds values that are static")]
    if found["curvature"] is None:
        return rows
    second, difference, value = (float(v) for v in found["curvature"])
    error = ratio(abs(second - difference), abs(second) + abs(value))
    return [*rows, Row("second derivative in arrays", error, 1e-5)]


def _eager_row(A, found, allowed: float) -> Row:
    x = from_real(jnp.asarray(found["xs"][0]), A.in_structure())
    eager = np.asarray(to_real(A @ x), np.float64)
    size = _norm(found) * float(np.linalg.norm(found["xs"][0]))
    return Row(
        "jit = eager",
        ratio(float(np.linalg.norm(eager - found["alone"] - found["zero"])), size),
        allowed,
    )


def _shape_row(A) -> Row:
    """A wrong shape raises ValueError that shows both sides."""
    grown = jax.tree.map(lambda s: np.zeros((*s.shape, 2), s.dtype), A.in_structure())
    first = jax.tree.leaves(A.in_structure())[0]
    want, got = f"{list(first.shape)}", f"{[*first.shape, 2]}"
    try:
        _ = A @ grown
    except ValueError as error:
        shown = want in str(error) and got in str(error)
        return truth("wrong shape is refused", shown, f"the message shows not both: {error}")
    return truth("wrong shape is refused", False, "it was taken")
