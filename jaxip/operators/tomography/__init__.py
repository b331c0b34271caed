"""Line integrals, their adjoints, and filtered back-projection."""
