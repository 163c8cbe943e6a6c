"""What assistants report of answers; imports no other room."""
