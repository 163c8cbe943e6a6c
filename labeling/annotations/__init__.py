"""What people say of turns, and the files that hold it; imports no other room."""
