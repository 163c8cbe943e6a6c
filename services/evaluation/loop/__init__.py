"""The closed loop: learners in a simulated world whose users live with what is served."""
