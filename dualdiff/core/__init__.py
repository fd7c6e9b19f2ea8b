"""What everything stands on: tangents, the table, and the engine that applies rules to Duals."""
