"""What assistants report of answers, and which turns it is about; imports no other room."""
