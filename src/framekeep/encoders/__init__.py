"""Encoders turn pictures and texts into unit vectors of one space."""
