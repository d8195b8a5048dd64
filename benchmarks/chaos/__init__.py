"""What becomes of tasks when workers and buses are killed: swarmage beside its peers."""
