"""What is checked before publication and how results are recorded; nothing is published."""
