"""A world in which each stage of the assistant can fail by itself."""
