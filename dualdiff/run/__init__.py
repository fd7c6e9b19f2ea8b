"""Running a user's function on Duals."""
