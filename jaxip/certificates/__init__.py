"""What is proved of a solution: its value, its distance to every minimiser, its uniqueness."""

from jaxip.certificates._certify import Certificate as Certificate
from jaxip.certificates._certify import certify as certify
from jaxip.certificates._condition import Feasibility as Feasibility
from jaxip.certificates._condition import SolutionCondition as SolutionCondition
from jaxip.certificates._condition import feasibility_condition as feasibility_condition
from jaxip.certificates._condition import gram_condition as gram_condition
from jaxip.certificates._condition import solution_condition as solution_condition
from jaxip.certificates._constant import Constant as Constant
from jaxip.certificates._enclosing_ball import Ball as Ball
from jaxip.certificates._enclosing_ball import enclosing_ball as enclosing_ball
from jaxip.certificates._instability import Instability as Instability
from jaxip.certificates._instability import universal_instability as universal_instability
from jaxip.certificates._isometry import coherence as coherence
from jaxip.certificates._isometry import isometry_from_coherence as isometry_from_coherence
from jaxip.certificates._isometry import restricted_isometry as restricted_isometry
from jaxip.certificates._isometry import (
    restricted_isometry_in_levels as restricted_isometry_in_levels,
)
from jaxip.certificates._local_coherence import coherence_decay as coherence_decay
from jaxip.certificates._local_coherence import fourier_haar as fourier_haar
from jaxip.certificates._local_coherence import haar_matrix as haar_matrix
from jaxip.certificates._local_coherence import local_coherence as local_coherence
from jaxip.certificates._local_coherence import walsh_haar as walsh_haar
from jaxip.certificates._null_space import NullSpace as NullSpace
from jaxip.certificates._null_space import isometry_limit as isometry_limit
from jaxip.certificates._null_space import null_space as null_space
from jaxip.certificates._optimal_map import OptimalMap as OptimalMap
from jaxip.certificates._optimal_map import optimal_map as optimal_map
from jaxip.certificates._recovery import Recovery as Recovery
from jaxip.certificates._recovery import best_term_error as best_term_error
from jaxip.certificates._recovery import kernel_awareness as kernel_awareness
from jaxip.certificates._recovery import recovery as recovery
