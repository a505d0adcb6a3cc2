"""The public web pages; figures come from the published marts only."""
