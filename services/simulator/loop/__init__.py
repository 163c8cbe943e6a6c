"""A world in which users live with what is learned of them: they see what was run, and the world changes."""
