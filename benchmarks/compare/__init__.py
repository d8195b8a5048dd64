"""swarmage beside its peers: the same task, on the same machine, in the same run."""
