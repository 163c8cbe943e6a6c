"""The lookup API: what an assistant asks before it runs a request, and what its operators work with."""
