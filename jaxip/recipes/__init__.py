"""Recipes: settings, training and shipped weights of networks that are ready to use."""

from jaxip.recipes._unet import pretrained_unet as pretrained_unet
from jaxip.recipes._unet import reconstruction_loss as reconstruction_loss
from jaxip.recipes._unet import train_unet as train_unet
from jaxip.recipes._unet import unet_settings as unet_settings
