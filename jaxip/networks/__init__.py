"""Image-to-image networks as callable pytrees, and what of them is trained."""

from jaxip.networks._conv import Conv2D as Conv2D
from jaxip.networks._conv import conv2d as conv2d
from jaxip.networks._frozen import Frozen as Frozen
from jaxip.networks._frozen import trainable as trainable
from jaxip.networks._unet import UNet as UNet
from jaxip.networks._unet import UNetReconstruction as UNetReconstruction
from jaxip.networks._unet import unet as unet
