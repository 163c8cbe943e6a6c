"""The evaluation of failure points, and the overview of failures for a team."""
