"""What people run: the command line, the workers, the lookup API, offline jobs, the simulator."""
