"""Tangent spaces that are more than an array of numbers."""
