"""Convex functionals with their proximal maps."""

from jaxip.functionals._functional import L1 as L1
from jaxip.functionals._functional import L2 as L2
from jaxip.functionals._functional import AbstractFunctional as AbstractFunctional
from jaxip.functionals._functional import AbstractNorm as AbstractNorm
from jaxip.functionals._functional import Box as Box
from jaxip.functionals._functional import GroupL2 as GroupL2
from jaxip.functionals._functional import L2Ball as L2Ball
from jaxip.functionals._functional import NonNegative as NonNegative
from jaxip.functionals._functional import SquaredL2 as SquaredL2
from jaxip.functionals._proximal import group_soft_threshold as group_soft_threshold
from jaxip.functionals._proximal import hard_threshold as hard_threshold
from jaxip.functionals._proximal import project_box as project_box
from jaxip.functionals._proximal import project_l2_ball as project_l2_ball
from jaxip.functionals._proximal import shrink_l2 as shrink_l2
from jaxip.functionals._separable import SeparableSum as SeparableSum
from jaxip.functionals._soft_threshold import soft_threshold as soft_threshold
