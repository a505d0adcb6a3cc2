"""Evidence: check results and what stops a publication. Nothing here changes a figure."""
