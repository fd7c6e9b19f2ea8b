"""Tables of cases: functions, operands, shapes, domains and types, which every space and mode runs."""
