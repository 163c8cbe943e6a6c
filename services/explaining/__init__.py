"""Why a rewrite is there: its sessions, and the picture of its chain."""
