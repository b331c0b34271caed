"""Inverse problems in JAX: reconstructed with a proof, learned by unrolling, audited."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_SUBPACKAGES = (
    "audit",
    "certificates",
    "data",
    "functionals",
    "interop",
    "metrics",
    "networks",
    "operators",
    "plotting",
    "problems",
    "recipes",
    "solvers",
    "testing",
    "training",
    "unrolled",
)
_FROM_SOLVERS = ("Reconstruction", "Solution", "Status", "solve", "status_name")
_FROM_NUMERICS = ("abs2", "gradient", "value_and_gradient")

__all__ = [*_SUBPACKAGES, *_FROM_SOLVERS, *_FROM_NUMERICS]

if TYPE_CHECKING:  # what editors and type checkers see; held equal to the above by a test
    from jaxip import audit as audit
    from jaxip import certificates as certificates
    from jaxip import data as data
    from jaxip import functionals as functionals
    from jaxip import interop as interop
    from jaxip import metrics as metrics
    from jaxip import networks as networks
    from jaxip import operators as operators
    from jaxip import plotting as plotting
    from jaxip import problems as problems
    from jaxip import recipes as recipes
    from jaxip import solvers as solvers
    from jaxip import testing as testing
    from jaxip import training as training
    from jaxip import unrolled as unrolled
    from jaxip._numerics import abs2 as abs2
    from jaxip._numerics import gradient as gradient
    from jaxip._numerics import value_and_gradient as value_and_gradient
    from jaxip.solvers import Reconstruction as Reconstruction
    from jaxip.solvers import Solution as Solution
    from jaxip.solvers import Status as Status
    from jaxip.solvers import solve as solve
    from jaxip.solvers import status_name as status_name
else:

    def __getattr__(name):
        """Load on first use, so that `import jaxip` imports no flax, optax, matplotlib."""
        if name in _SUBPACKAGES:
            return importlib.import_module(f"jaxip.{name}")
        if name in _FROM_SOLVERS:
            return getattr(importlib.import_module("jaxip.solvers"), name)
        if name in _FROM_NUMERICS:
            return getattr(importlib.import_module("jaxip._numerics"), name)
        raise AttributeError(f"module 'jaxip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
