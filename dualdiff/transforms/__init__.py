"""The verbs: functions that make derivatives of functions."""
