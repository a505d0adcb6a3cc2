"""Publication of a candidate: the gate, the versions, the published tables and documents."""
