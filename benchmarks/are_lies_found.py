"""Does an operator that lies ever get a proof? One table, results/lies.json.

Small dense problems (Lasso, SR-LASSO, QCBP, TV, TGV; float32 and float64, real and complex) whose
optimum CVXPY finds with Clarabel from the true matrices. Each is solved with one lie told: an
adjoint wrong in one entry, scaled, shifted, negated, conjugated, with noise; a norm, rounding
constant or Gram diagonal misstated; a D with a wrong adjoint, kernel, gain or solver. "false"
counts `optimal` where the true gap is over the one claimed, and bounds over the true optimum;
"honest" are the same problems with nothing wrong, and how many of them are optimal.

    python benchmarks/are_lies_found.py --count 2000
"""

import argparse
import collections
import json
import pathlib

import cvxpy
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxip as ip
from jaxip import functionals, operators, problems

RESULTS = pathlib.Path(__file__).parent / "results"
SHAPE, ROWS = (5, 5), 18
DTYPES = ("float32", "float64", "complex64", "complex128")
SINGLE = ("float32", "complex64")
DATA_LIES = (
    "one entry", "scaled", "nearly right", "shifted", "negated", "conjugated", "noisy", "zero",
    "norm too small", "no rounding", "Gram misstated",
)  # fmt: skip
ANALYSIS_LIES = ("D one entry", "D scaled", "D without kernel", "D gain", "D Gram solver")
PROBLEMS = ("Lasso", "SRLasso", "QCBP", "TV", "TGV")


class Liar(operators.AbstractLinearOperator):
    """A matrix, and whatever else is stated as its adjoint, norm, rounding and Gram diagonal."""

    forward: jax.Array
    backward: jax.Array
    norm: jax.Array
    gram: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True)
    rounds: float = eqx.field(static=True)
    grams: bool = eqx.field(static=True)

    def mv(self, x):
        return jnp.matmul(self.forward, x.ravel(), precision="highest")

    def rmv(self, y):
        return jnp.matmul(self.backward, y, precision="highest").reshape(self.shape)

    def in_structure(self):
        return jax.ShapeDtypeStruct(self.shape, self.forward.dtype)

    def out_structure(self):
        return jax.ShapeDtypeStruct(self.forward.shape[:1], self.forward.dtype)

    def norm_bounds(self):
        return jnp.zeros_like(self.norm), self.norm

    def rounding(self):
        return self.rounds

    def row_gram(self):
        return self.gram if self.grams else None


class LyingGradient(operators.AbstractLinearOperator):
    """Differences by matrices, with a kernel, a Gram solver and a least gain of their own."""

    forward: jax.Array
    backward: jax.Array
    inverse: jax.Array
    gain: jax.Array
    kernels: tuple = ()

    def mv(self, x):
        product = jnp.matmul(self.forward, x.ravel(), precision="highest")
        return product.reshape(2, *SHAPE)

    def rmv(self, y):
        return jnp.matmul(self.backward, y.ravel(), precision="highest").reshape(SHAPE)

    def in_structure(self):
        return jax.ShapeDtypeStruct(SHAPE, self.forward.dtype)

    def out_structure(self):
        return jax.ShapeDtypeStruct((2, *SHAPE), self.forward.dtype)

    def norm_bounds(self):
        norm = jnp.asarray(8**0.5, self.gain.dtype)
        return jnp.zeros_like(norm), norm

    def rounding(self):
        return 60.0

    def null_space(self):
        return self.kernels

    def gram_solve(self, r):
        return jnp.matmul(self.inverse, r.ravel(), precision="highest").reshape(SHAPE)

    def least_gain(self):
        return self.gain


def matrix_of(op) -> np.ndarray:
    """The matrix of an operator of one real array, in row-major order of each array."""
    columns = [op.mv(e.reshape(SHAPE)) for e in jnp.eye(int(np.prod(SHAPE)))]
    return np.stack([np.concatenate([np.ravel(v) for v in jax.tree.leaves(c)]) for c in columns], 1)


def liar(M: np.ndarray, lie: str, rng, dtype) -> Liar:
    """The operator of M that tells this lie."""
    wide = M.astype(np.result_type(M, np.float64))
    back, norm, rounds, gram = wide.T.conj(), np.linalg.norm(wide, 2) * 1.0001, 60.0, None
    i, j = rng.integers(back.shape[0]), rng.integers(back.shape[1])
    if lie == "one entry":
        back[i, j] *= rng.choice([0.0, -1.0, 1 + 10 ** rng.uniform(-3, 1)])
    elif lie == "scaled":
        back *= rng.uniform(0.5, 1.001)
    elif lie == "nearly right":
        back *= 1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-7, -2)
    elif lie == "shifted":
        back = np.roll(back, 1, axis=rng.integers(2))
    elif lie == "negated":
        back = -back
    elif lie == "conjugated":
        back = back.conj()
    elif lie == "noisy":
        back += 10 ** rng.uniform(-7, -1) * rng.standard_normal(back.shape)
    elif lie == "zero":
        back *= 0
    elif lie == "norm too small":
        norm *= 10 ** rng.uniform(-6, -0.1)
    elif lie == "no rounding":
        rounds = 0.0
    elif lie == "Gram misstated":
        gram = 10 ** rng.uniform(-2, 2)
    if rng.uniform() < 0.5 and rounds > 0:
        rounds = float("inf")
    stated = [jnp.asarray(v, real_of(dtype)) for v in (norm, 1.0 if gram is None else gram)]
    matrices = jnp.asarray(M, dtype), jnp.asarray(back, dtype)
    return Liar(*matrices, *stated, (M.shape[1],), rounds, gram is not None)


def real_of(dtype: str) -> str:
    """The real dtype of a dtype."""
    return "float32" if dtype in SINGLE else "float64"


def shaped(A: Liar) -> Liar:
    """The same operator on images."""
    return Liar(A.forward, A.backward, A.norm, A.gram, SHAPE, A.rounds, A.grams)


def differences(lie: str, rng, dtype) -> LyingGradient:
    """The gradient that tells this lie."""
    D = matrix_of(operators.Gradient(SHAPE))
    back, inverse = D.T.copy(), np.linalg.pinv(D.T @ D)
    gain = np.sort(np.linalg.svd(D, compute_uv=False))[1]
    kernels = (jnp.ones(SHAPE, real_of(dtype)),)
    if lie == "D one entry":
        place = rng.integers(np.count_nonzero(back))
        i, j = (axis[place] for axis in np.nonzero(back))
        back[i, j] *= rng.choice([0.0, -1.0, 1 + 10 ** rng.uniform(-3, 0)])
    elif lie == "D scaled":
        back *= rng.uniform(0.5, 1.001)
    elif lie == "D without kernel":
        kernels = ()
    elif lie == "D gain":
        gain *= 10 ** rng.uniform(0.3, 8)
    elif lie == "D Gram solver":
        inverse *= 10 ** rng.uniform(-1, 1)
    matrices = [jnp.asarray(v, dtype) for v in (D, back, inverse)]
    return LyingGradient(*matrices, jnp.asarray(gain, real_of(dtype)), kernels)


def problem_of(kind: str, A: Liar, parameter, D):
    """The problem of this kind for A."""
    if kind == "TV":
        norm = functionals.GroupL2()
        return problems.Lasso(shaped(A), parameter, D=D, norm=norm)
    if kind == "TGV":
        return problems.TGV(shaped(A), parameter, 2 * parameter)
    return getattr(problems, kind)(A, parameter)


class Instance:
    """True matrices, data, the optimum by Clarabel, and the objective by NumPy."""

    def __init__(self, kind: str, seed: int, dtype: str):
        rng = np.random.default_rng([seed, PROBLEMS.index(kind)])
        count, self.planes = int(np.prod(SHAPE)), 1 + dtype.startswith("complex")
        draw = lambda *shape: self._joined(rng.standard_normal((self.planes, *shape)))
        self.kind, self.M = kind, (draw(ROWS, count) / ROWS**0.5).astype(dtype)
        x = np.zeros(count, self.M.dtype)
        x[rng.choice(count, 3, replace=False)] = draw(3)
        image = np.where(np.add.outer(*(np.arange(n) for n in SHAPE)) > rng.integers(2, 7), 1.0, 0)
        truth = x if kind in ("Lasso", "SRLasso", "QCBP") else image.ravel() * draw(1)
        M = self.M.astype(np.result_type(dtype, np.float64))
        self.y = (M @ truth + 0.05 * draw(ROWS)).astype(dtype)
        y = self.y.astype(M.dtype)
        largest = np.max(np.abs(M.conj().T @ y))
        scale = {"SRLasso": 0.4 * largest / np.linalg.norm(y), "QCBP": 0.3 * np.linalg.norm(y)}
        self.parameter = float(np.asarray(scale.get(kind, 0.1 * largest), real_of(dtype)))
        self.D = matrix_of(operators.Gradient(SHAPE))
        self.optimum = self._optimum(M, y)

    def _joined(self, planes):
        return planes[0] if self.planes == 1 else planes[0] + 1j * planes[1]

    def _optimum(self, M, y) -> float:
        # over [Re z, Im z], where z is complex; moduli are then groups
        c, p = self.planes, self.parameter
        M = M if c == 1 else np.block([[M.real, -M.imag], [M.imag, M.real]])
        each = lambda D: np.kron(np.eye(c), D)
        z = cvxpy.Variable(M.shape[1])
        fit = M @ z - (y if c == 1 else np.concatenate([y.real, y.imag]))
        squared, norm, sparse = 0.5 * cvxpy.sum_squares(fit), cvxpy.norm(fit, 2), _groups(z, c)
        if self.kind == "QCBP":
            goal = cvxpy.Problem(cvxpy.Minimize(sparse), [norm <= p])
        elif self.kind in ("Lasso", "SRLasso"):
            value = squared if self.kind == "Lasso" else norm
            goal = cvxpy.Problem(cvxpy.Minimize(value + p * sparse))
        elif self.kind == "TV":
            penalty = _groups(each(self.D) @ z, 2 * c)
            goal = cvxpy.Problem(cvxpy.Minimize(squared + p * penalty))
        else:
            field = cvxpy.Variable(2 * M.shape[1])
            rows = problems.TGV(operators.Identity(SHAPE, np.float64), 1.0, 2.0).D.symmetrised
            E = each(_field_matrix(rows))
            penalty = _groups(each(self.D) @ z - field, 2 * c) + 2 * _groups(E @ field, 3 * c)
            goal = cvxpy.Problem(cvxpy.Minimize(squared + p * penalty))
        tight = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-10)
        goal.solve(solver=cvxpy.CLARABEL, **tight)
        return float(goal.value)


def _groups(expression, count: int):
    return cvxpy.sum(cvxpy.norm(cvxpy.reshape(expression, (count, -1), order="C"), 2, axis=0))


def _field_matrix(E) -> np.ndarray:
    size = 2 * int(np.prod(SHAPE))
    columns = [np.ravel(E.mv(e.reshape(2, *SHAPE))) for e in jnp.eye(size)]
    return np.stack(columns, 1)


def case(kind: str, lie: str, seed: int, dtype: str) -> tuple[str, str]:
    """`(status, fault)`: what solve said, and what was false of it ('' for nothing)."""
    instance = Instance(kind, seed, dtype)
    rng = np.random.default_rng([seed, 7])
    told = lie if lie in DATA_LIES else "none"
    A = liar(instance.M, told, rng, dtype)
    D = differences(lie, rng, dtype) if kind == "TV" else None
    problem = problem_of(kind, A, jnp.asarray(instance.parameter, real_of(dtype)), D)
    solver = None
    if lie == "norm too small":  # steps from the right norm: the lie is for the proof alone
        right = problem_of(kind, liar(instance.M, "none", rng, dtype), instance.parameter, D)
        solver = ip.solvers.PDHG.for_problem(right)
    gap = 1e-4 if dtype in SINGLE else 1e-7
    solution = ip.solve(problem, instance.y, solver=solver, gap=gap, max_steps=4000)
    slack = 2e-6 if dtype in SINGLE else 1e-6
    return ip.status_name(solution.status), _fault(solution, instance.optimum, slack)


def _fault(solution, best: float, slack: float) -> str:
    """What is false beyond `slack`: of the reference, and of data rounded to float32."""
    if float(solution.bound) > best * (1 + slack) + 1e-12:
        return f"bound {float(solution.bound):.9g} over the optimum {best:.9g}"
    if solution.status != ip.Status.optimal:
        return ""
    value = float(solution.objective)  # by forward products alone, which are true
    if value - best > max(float(solution.gap), 0) * abs(value) + slack * abs(best):
        return f"optimal at {value:.9g}, gap {float(solution.gap):.2g}, optimum {best:.9g}"
    return ""


def every_case() -> list[tuple[str, str, str]]:
    """The combinations of problem, lie and precision; "none" is the honest operator."""
    plan = [(kind, lie) for kind in PROBLEMS for lie in (*DATA_LIES, "none")]
    plan += [("TV", lie) for lie in ANALYSIS_LIES]
    cases = [(kind, lie, dtype) for kind, lie in plan for dtype in DTYPES]
    return [c for c in cases if c[1] != "conjugated" or c[2].startswith("complex")]


def run(count: int, out: pathlib.Path, seed: int = 0) -> dict:
    """Counts of statuses by lie, and every false claim; goes on where `out` ends."""
    found = json.loads(out.read_text()) if out.exists() else {}
    done = found.get("combinations", 0) if found.get("asked") == count else 0
    table = collections.defaultdict(collections.Counter)
    table |= {k: collections.Counter(v) for k, v in found.get("statuses", {}).items() if done}
    false, cases = found.get("false", []) if done else [], every_case()
    for place, (kind, lie, dtype) in list(enumerate(cases))[done:]:
        for number in range(count // len(cases) + (place < count % len(cases))):
            status, fault = case(kind, lie, seed + number, dtype)
            table[lie][status] += 1
            if fault:
                told = {"kind": kind, "lie": lie, "dtype": dtype, "seed": seed + number}
                false.append(told | {"is": fault})
        jax.clear_caches()  # a process may map so many programs only
        found = {
            "asked": count, "combinations": place + 1, "of": len(cases),
            "cases": sum(sum(row.values()) for row in table.values()), "false": false,
            "statuses": {k: dict(v) for k, v in table.items()},
        }  # fmt: skip
        out.write_text(json.dumps(found, indent=1) + "\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS / "lies.json")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print(json.dumps(run(arguments.count, arguments.out), indent=1))


if __name__ == "__main__":
    main()
