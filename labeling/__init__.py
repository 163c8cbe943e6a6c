"""Labels that a log gives by itself: which turns failed, which goals were reached."""
