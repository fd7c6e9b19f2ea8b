"""What was computed, shown: traces, graphs, counts and costs."""
