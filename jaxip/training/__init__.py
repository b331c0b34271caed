"""Training: descend on a loss, keep a history, write and read weights."""

from jaxip.training._fit import NonFiniteLoss as NonFiniteLoss
from jaxip.training._fit import Run as Run
from jaxip.training._fit import fit as fit
from jaxip.training._schedule import clipped_adam as clipped_adam
from jaxip.training._weights import load as load
from jaxip.training._weights import save as save
