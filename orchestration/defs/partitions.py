"""Quarterly partitions under the names people use (2022Q2), shared by all assets."""

from dagster import AssetExecutionContext, DynamicPartitionsDefinition

from orchestration.common.quarters import Quarter

# Dynamic, because a time window could only show a quarter by its first day.
quarters = DynamicPartitionsDefinition(name="quarter")


def quarter_of(context: AssetExecutionContext) -> Quarter:
    """The quarter that a step works on."""
    return Quarter.parse(context.partition_key)
