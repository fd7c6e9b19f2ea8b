"""Derivative programs: what a function asks of NumPy, written down, freed of what is dead, and printed as Python."""
