"""What is proved of a solution: its value, its distance to every minimiser, its uniqueness."""

from jaxip.certificates._certify import Certificate as Certificate
from jaxip.certificates._certify import certify as certify
