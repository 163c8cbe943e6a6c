"""What is known of requests from all users and from each; imports `evidence`."""
