"""Figures of images, errors, curves and audits, by matplotlib without global state."""

from jaxip.plotting._audit import audit_errors as audit_errors
from jaxip.plotting._audit import audit_figures as audit_figures
from jaxip.plotting._audit import audit_ratios as audit_ratios
from jaxip.plotting._audit import audit_strip as audit_strip
from jaxip.plotting._audit import png_uri as png_uri
from jaxip.plotting._curves import convergence as convergence
from jaxip.plotting._curves import curves as curves
from jaxip.plotting._images import error_maps as error_maps
from jaxip.plotting._images import image_grid as image_grid
from jaxip.plotting._images import save_figure as save_figure
from jaxip.plotting._images import save_grey as save_grey
