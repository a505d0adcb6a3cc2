"""Reads files into cells of text, as their contracts describe them; no file is written here."""
