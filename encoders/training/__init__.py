"""Fitting the encoders that the project ships, and measuring them. Nothing here is needed to encode."""
