"""From a checked candidate to versions, published tables and documents; the gate is here."""
