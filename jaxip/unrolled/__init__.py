"""Solvers as networks: unrolled steps, the LISTA family, FIRENET."""

from jaxip.unrolled._analytic import alista_weights as alista_weights
from jaxip.unrolled._firenet import firenet as firenet
from jaxip.unrolled._firenet import firenet_depth as firenet_depth
from jaxip.unrolled._lista import ALISTA as ALISTA
from jaxip.unrolled._lista import LISTA as LISTA
from jaxip.unrolled._lista import LISTACP as LISTACP
from jaxip.unrolled._lista import AbstractCoupled as AbstractCoupled
from jaxip.unrolled._lista import AbstractLISTA as AbstractLISTA
from jaxip.unrolled._lista import TiLISTA as TiLISTA
from jaxip.unrolled._selection import selective_threshold as selective_threshold
from jaxip.unrolled._selection import support_schedule as support_schedule
from jaxip.unrolled._unrolled import Unrolled as Unrolled
from jaxip.unrolled._unrolled import unroll as unroll
