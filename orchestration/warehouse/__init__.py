"""The working warehouse: its connection, the raw schema, dbt and Spark that build in it."""
