"""Segmenters: from a picture, or a point in it, to the masks of objects."""
