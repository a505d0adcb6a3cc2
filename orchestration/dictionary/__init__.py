"""The data dictionary: what the models' YAML says of the readers' tables, and its page."""
