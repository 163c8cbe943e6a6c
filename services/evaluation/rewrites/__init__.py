"""The evaluation of rewrites, with ablations and baselines."""
