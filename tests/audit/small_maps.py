"""A map with a weight on a small masked grid, and the figures of its report."""

import jax

import jaxip as ip
from jaxip import operators, plotting

SHAPE = (12, 12)


class Gain(ip.operators.AbstractLinearOperator):
    """`y -> gain A^H y` on the measured grid: a map with a weight."""

    op: operators.SubsampledFourier
    gain: jax.Array

    def mv(self, x):
        return self.gain * self.op.rmv(x)

    def rmv(self, y):
        return self.op.mv(self.gain * y)

    def in_structure(self):
        return self.op.out_structure()

    def out_structure(self):
        return self.op.in_structure()


def figures(report):
    """All figures, drawn: what `save` does by default."""
    return plotting.audit_figures(report)
