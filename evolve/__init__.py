"""The population engine: requests in, concepts of a run out."""
