"""From the bytes of a file to cells of text under canonical names; no file is stored here."""
