"""`python -m jaxip.recipes FOLDER`: train the U-Net by `unet.toml`, write weights and log there."""

import sys

import jax

from jaxip.recipes import train_unet, unet_settings


def main(arguments: list[str]) -> int:
    """Train; 0 when done, 2 without a folder."""
    if len(arguments) != 1:
        print("usage: python -m jaxip.recipes FOLDER", file=sys.stderr)
        return 2
    settings = unet_settings()
    key = jax.random.key(settings["seed"])
    run = train_unet(settings, key=key, directory=arguments[0])
    last = run.history[-50:]
    gain = sum(row["gain_db"] for row in last) / len(last)
    print(f"{len(run.history)} steps; last 50: {gain:.2f} dB over zero filling on generated images")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
