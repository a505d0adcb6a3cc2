-- A source file that was registered in any quarter, including superseded files.
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
