"""Solvers, the loop that proves, and derivatives of a solve."""

from jaxip.solvers._adjoint import AbstractAdjoint as AbstractAdjoint
from jaxip.solvers._adjoint import Implicit as Implicit
from jaxip.solvers._adjoint import Unroll as Unroll
from jaxip.solvers._adjoint import implicit_residual as implicit_residual
from jaxip.solvers._closing import relative_gap as relative_gap
from jaxip.solvers._fista import FISTA as FISTA
from jaxip.solvers._fista import ISTA as ISTA
from jaxip.solvers._linear import LinearSolution as LinearSolution
from jaxip.solvers._linear import cg as cg
from jaxip.solvers._linear import gmres as gmres
from jaxip.solvers._pdhg import PDHG as PDHG
from jaxip.solvers._pdhg import primal_dual_step as primal_dual_step
from jaxip.solvers._reconstruction import Reconstruction as Reconstruction
from jaxip.solvers._reconstruction import UnrolledReconstruction as UnrolledReconstruction
from jaxip.solvers._restarted import Polished as Polished
from jaxip.solvers._restarted import Restarted as Restarted
from jaxip.solvers._solve import default_solver as default_solver
from jaxip.solvers._solve import solve as solve
from jaxip.solvers._solver import AbstractSolver as AbstractSolver
from jaxip.solvers._status import Solution as Solution
from jaxip.solvers._status import Status as Status
from jaxip.solvers._status import status_name as status_name
