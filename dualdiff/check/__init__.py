"""Leaves that use none of the rules: differences, the oracle, and what is covered."""
