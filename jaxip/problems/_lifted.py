"""Analysis operators whose unknown is more than the image, as TGV's pair of image and field."""

import abc

from jaxip._types import PyTree, Scalar
from jaxip.operators import AbstractLinearOperator


class AbstractLifted(AbstractLinearOperator):
    """An analysis operator on an unknown that holds the image among other things."""

    @abc.abstractmethod
    def observe(self, A: AbstractLinearOperator) -> AbstractLinearOperator:
        """The map from the unknown to the data, `A` acting on the image."""

    @abc.abstractmethod
    def image_of(self, x: PyTree) -> PyTree:
        """The image in the unknown `x`."""

    @abc.abstractmethod
    def with_image(self, x: PyTree, image: PyTree) -> PyTree:
        """The unknown `x` with another `image` in it."""


def is_plain(D: AbstractLinearOperator) -> bool:
    """Whether the unknown of D is the image (static)."""
    return not isinstance(D, AbstractLifted)


def observe(D: AbstractLinearOperator, A: AbstractLinearOperator) -> AbstractLinearOperator:
    """The map from the unknown of D to the data."""
    return D.observe(A) if isinstance(D, AbstractLifted) else A


def image_of(D: AbstractLinearOperator, x: PyTree) -> PyTree:
    """The image in the unknown x of D."""
    return D.image_of(x) if isinstance(D, AbstractLifted) else x


def with_image(D: AbstractLinearOperator, x: PyTree, image: PyTree) -> PyTree:
    """x with another image in it."""
    return D.with_image(x, image) if isinstance(D, AbstractLifted) else image


def gain_of(D: AbstractLinearOperator) -> Scalar:
    """The least gain of D. Raises: ValueError where none is known."""
    gain = D.least_gain()
    if gain is None:
        raise ValueError(D.no_rule())
    return gain
