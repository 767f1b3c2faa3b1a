"""The categories over which experiments repeat."""

PAPERS = ("pet", "plant", "fruit", "furniture", "musical instrument")  # of Figure 11 in the paper
TEN = (*PAPERS, "bird", "sea animal", "vegetable", "vehicle", "building")
