"""Published bulletins: read in any form that an office writes, and checked against themselves."""
