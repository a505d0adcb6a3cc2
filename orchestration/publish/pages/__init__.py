"""The web pages for everyone; figures come from the published marts only."""
