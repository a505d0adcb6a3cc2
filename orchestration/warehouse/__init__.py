"""The working warehouse: its connection, schema `raw`, and the builds with dbt and Spark."""
