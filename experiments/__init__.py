"""The experiments: each learns its own runs, measures them by a judge, and writes a table, a summary and figures."""
