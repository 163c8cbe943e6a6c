"""What a session shows of a request's outcome; imports no other room."""
