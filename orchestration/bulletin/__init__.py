"""Published bulletins: read in the form that an office wrote them, and checked against themselves."""
