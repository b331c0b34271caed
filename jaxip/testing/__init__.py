"""Checks for everyone's operators, functionals, solvers and maps; our own tests call them too."""

from jaxip.testing._functional import check_functional as check_functional
from jaxip.testing._map import check_map as check_map
from jaxip.testing._operator import check_operator as check_operator
from jaxip.testing._solver import check_solver as check_solver
from jaxip.testing._table import Row as Row
from jaxip.testing._table import Table as Table
