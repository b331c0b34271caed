"""Whether what a proof takes from an operator holds: its kernel, its gains, its sums of moduli.

The rules of an analysis operator D are measured on a small D against its matrix, on a large one at
vectors that an iteration finds. `D^H D` is what `mv` and `rmv` give; nothing is taken from one rule
to judge another.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import cg

from jaxip._tree import from_real, to_real
from jaxip._types import Array, Structure
from jaxip.testing._table import Row, ratio

ROUNDS, STEPS = 4, 400  # of inverse iteration, and of the conjugate gradients in each
TRIED = 6  # vectors that gram_solve and preimage are tried on
NAMES = {"gram_solve": "gram_solve: D^H D s = r", "preimage": "preimage: D^H z = lack"}


def proof_rows(A, xs: np.ndarray, matrix: np.ndarray | None, norm: float, allowed: float):
    """The rows of the rules that are stated for `A`; xs are real coordinates, norm is `|A|`."""
    rows = _sum_rows(A, xs, matrix, norm, allowed)
    solves = (A.gram_solve, A.preimage)
    if (
        not A.null_space()
        and A.least_gain() is None
        and not any(_known(f, A, xs[0]) for f in solves)
    ):
        return rows
    found = _measured(A, xs, matrix is None)
    found = jax.tree.map(lambda v: np.asarray(v, np.float64), found)
    rows += _kernel_rows(found, matrix, norm, allowed)
    rows += [_solve_row(name, found, norm, allowed) for name in NAMES if found[name] is not None]
    return rows if found["gain"] is None else [*rows, _gain_row(found, matrix, norm, allowed)]


def _known(rule, A, x) -> bool:
    """Whether the rule answers for A: the default one says ValueError where it does not."""
    try:
        jax.eval_shape(rule, from_real(jnp.asarray(x), A.in_structure()))
    except ValueError:
        return False
    return True


@eqx.filter_jit
def _measured(A, xs, large: bool) -> dict:
    """The kernel in orthonormal real coordinates, and what each rule gives off it."""
    into = A.in_structure()
    image = lambda v: to_real(A.carrier().mv(from_real(v, into)))
    back = lambda z: to_real(A.rmv(z))
    basis = _basis(A.null_space(), into)
    whole = basis if len(basis) == 0 else jnp.linalg.qr(basis.T)[0].T
    off = lambda v: v - whole.T @ (whole @ v)
    asked = jax.vmap(off)(jax.vmap(off)(xs[:TRIED]))
    given = lambda rule: jax.vmap(lambda r: rule(from_real(r, into)))(asked)
    solved, duals = (
        given(rule) if _known(rule, A, xs[0]) else None for rule in (A.gram_solve, A.preimage)
    )
    gain = A.least_gain()
    flat = lambda trees: None if trees is None else jax.vmap(to_real)(trees)
    return {
        "kernel": basis, "kernel images": jax.vmap(image)(basis), "asked": asked,
        "gram_solve": None if solved is None else jax.vmap(lambda s: back(A.mv(s)))(solved),
        "gram_solve size": flat(solved),
        "preimage": None if duals is None else jax.vmap(back)(duals),
        "preimage size": flat(duals),
        "gain": gain, "lowest": None if gain is None or not large else _lowest(A, xs[0], off),
    }  # fmt: skip


def _basis(vectors, into: Structure) -> Array:
    """Rows of real coordinates: each vector, and i times it where all arrays are complex."""
    cast = lambda s, v: jnp.broadcast_to(v, s.shape).astype(s.dtype)
    trees = [jax.tree.map(cast, into, vector) for vector in vectors]
    if all(jnp.issubdtype(s.dtype, jnp.complexfloating) for s in jax.tree.leaves(into)):
        trees += [jax.tree.map(lambda v: 1j * v, tree) for tree in trees]
    size = to_real(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), into))
    return jnp.stack([to_real(t) for t in trees]) if trees else size[None][:0]


def _lowest(A, start: Array, off) -> Array:
    """The least `|A v| / |v|` of vectors v off the kernel that inverse iteration finds."""
    image = lambda v: A.mv(from_real(v, A.in_structure()))
    product = lambda v: off(to_real(A.rmv(image(off(v)))))
    unit = lambda v: v / jnp.linalg.norm(v)
    quotient = lambda v: jnp.linalg.norm(to_real(image(v)))

    def turn(v, _):
        # where A has more of a kernel than is stated, the solution runs off into it
        moved = off(cg(product, v, tol=1e-6, maxiter=STEPS)[0])
        usable = jnp.all(jnp.isfinite(moved)) & (jnp.linalg.norm(moved) > 0)
        v = jnp.where(usable, unit(jnp.where(usable, moved, v)), v)
        return v, quotient(v)

    first = unit(off(start + jnp.linalg.norm(start)))  # the mean of an image is a usual kernel
    return jnp.min(jax.lax.scan(turn, first, None, length=ROUNDS)[1])


def _kernel_rows(found, matrix, norm: float, allowed: float) -> list[Row]:
    rows, basis = [], found["kernel"]
    if len(basis):
        sizes = np.linalg.norm(found["kernel images"], axis=1)
        worst = float(np.max(sizes / np.linalg.norm(basis, axis=1)))
        remark = "a vector stated as kernel is not in it"
        rows.append(Row("kernel: D k = 0", ratio(worst, norm), allowed, remark))
    if matrix is None:
        return rows
    missing = int(np.sum(_gains_off(matrix, basis) <= allowed * norm))
    remark = f"{missing} real dimensions of the kernel are not stated"
    return [*rows, Row("kernel is complete", float(missing), 0.0, remark)]


def _solve_row(name: str, found, norm: float, allowed: float) -> Row:
    asked, sizes = found["asked"], np.linalg.norm(found[f"{name} size"], axis=1)
    wrong = np.linalg.norm(found[name] - asked, axis=1)
    power = 2 if name == "gram_solve" else 1
    scale = np.maximum(norm**power * sizes, np.linalg.norm(asked, axis=1))
    error = max(ratio(float(w), float(s)) for w, s in zip(wrong, scale, strict=True))
    # a preimage is as good as the solve behind it; a proof measures what it leaves
    allowed = allowed if power == 2 else float(np.sqrt(allowed))
    return Row(NAMES[name], error, allowed, "not so off the kernel that is stated")


def _gain_row(found, matrix, norm: float, allowed: float) -> Row:
    """A vector with a smaller gain refutes a large one; nothing else is claimed of it."""
    least = found["lowest"]
    if matrix is not None:
        values = _gains_off(matrix, found["kernel"])
        least = np.min(values, where=values > allowed * norm, initial=np.inf)
    short = max(0.0, float(found["gain"]) - float(least))
    remark = f"least_gain is {float(found['gain']):.4g}, but |D x| / |x| goes down to {least:.4g}"
    return Row("least_gain <= |D x| / |x|", ratio(short, norm), allowed, remark)


def _gains_off(matrix: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The singular values of a matrix on the complement of the rows of `basis`."""
    full, _ = np.linalg.qr(basis.T, mode="complete")
    rest = matrix @ full[:, len(basis) :]
    values = np.linalg.svd(rest, compute_uv=False)
    return np.append(values, np.zeros(rest.shape[1] - len(values)))


def _sum_rows(A, xs, matrix, norm: float, allowed: float) -> list[Row]:
    """`absolute_sums` against the entries of a small A, against signs tried on a large one."""
    stated = A.absolute_sums()
    if stated is None:
        return []
    rows, columns = (np.concatenate([np.ravel(v) for v in jax.tree.leaves(s)]) for s in stated)
    into, out = A.in_structure(), A.out_structure()
    if matrix is None:
        seen = _signs_tried(A, xs)
    else:
        moduli = _moduli(matrix, into, out)
        seen = moduli.sum(axis=1), moduli.sum(axis=0)
    found = []
    for name, have, need in (("rows", rows, seen[0]), ("columns", columns, seen[1])):
        short = float(np.max(np.asarray(need) - have, initial=0.0))
        remark = "an entry of absolute_sums is below the sum of moduli"
        scale = float(np.max(need, initial=0.0))
        found.append(Row(f"absolute_sums of {name}", ratio(short, scale), allowed, remark))
    return found


def _moduli(matrix: np.ndarray, into: Structure, out: Structure) -> np.ndarray:
    """`|A_ij|` from real coordinates: an imaginary unknown has the entries of its real one."""
    columns = matrix[:, _places(into)[0]]
    real, imaginary = _places(out)
    squares = columns[real] ** 2
    squares[imaginary >= 0] += columns[imaginary[imaginary >= 0]] ** 2
    return np.sqrt(squares)


def _places(structure: Structure):
    """Of each entry, its place in the real coordinates and that of its imaginary part, or -1."""
    real, imaginary, start = [], [], 0
    for leaf in jax.tree.leaves(structure):
        size = int(np.prod(leaf.shape))
        cplx = np.issubdtype(leaf.dtype, np.complexfloating)
        real.append(start + np.arange(size))
        imaginary.append(start + size + np.arange(size) if cplx else np.full(size, -1))
        start += size * (2 if cplx else 1)
    return np.concatenate(real), np.concatenate(imaginary)


@eqx.filter_jit
def _signs_tried(A, xs):
    """The largest `|A s|` and `|A^H s|`, entry by entry, over real signs s."""
    into, out = A.in_structure(), A.out_structure()

    def largest(function, structure, count):
        leaves, treedef = jax.tree.flatten(structure)
        draw = lambda k: treedef.unflatten(
            [jnp.sign(jnp.cos(k * (1 + jnp.arange(v.size, dtype=xs.dtype)))).reshape(v.shape)
             .astype(v.dtype) for v in leaves]
        )  # fmt: skip
        tries = [function(draw(float(k))) for k in range(count)]
        flat = [jnp.concatenate([jnp.abs(v).ravel() for v in jax.tree.leaves(t)]) for t in tries]
        return jnp.max(jnp.stack(flat), axis=0)

    return largest(A.mv, into, 4), largest(A.rmv, out, 4)
