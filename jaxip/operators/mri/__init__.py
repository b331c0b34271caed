"""Magnetic resonance: coils, their calibration, non-Cartesian samples."""
