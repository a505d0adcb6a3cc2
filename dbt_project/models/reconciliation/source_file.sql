-- A source file ever registered, in any quarter, superseded ones included.
{{ config(materialized='table') }}

select
    file_sha256,
    quarter,
    source,
    file_name,
    byte_count,
    encoding,
    row_count,
    received_at,
    superseded_by
from {{ source('raw', 'source_file') }}
