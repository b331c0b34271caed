"""Numbers that compare an image with a reference; every data range is given, none is guessed."""

from jaxip.metrics._errors import nmse as nmse
from jaxip.metrics._errors import psnr as psnr
from jaxip.metrics._errors import relative_error as relative_error
from jaxip.metrics._ssim import ssim as ssim
