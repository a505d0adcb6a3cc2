"""The shared kit of the static pages: templates, one look, one way to write a file."""
