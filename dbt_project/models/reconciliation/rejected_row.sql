-- A reason why a row of a current file was rejected: the row, the column and a code, never a value.
-- A row that couldn't be read has no column. The severity is `warn` within the source's tolerance,
-- or if another row replaces this one by the contract's rule for conflicts; else it is `error`.
{{ config(
    materialized='incremental', incremental_strategy='append', partition_by='file_sha256',
    pre_hook="{{ clear_quarter('file_sha256') }}"
) }}

{% set names_another = "rejection.reason_code in ('conflicting_duplicate', 'conflicting_files')"
    ~ ' and (rejection.file_sha256 <> rejection.standing_file_sha256'
    ~ ' or rejection.row_number <> rejection.standing_row_number)' %}

select
    rejection.file_sha256,
    rejection.row_number,
    rejection.column_name,
    rejection.reason_code,
    rejection.byte_number,
    case
        when tolerated.file_sha256 is not null then 'warn'
        when {{ is_overruled('rejection', 'contract') }} then 'warn'
        else 'error'
    end as severity,
    case when {{ names_another }} then rejection.standing_file_sha256 end as standing_file_sha256,
    case when {{ names_another }} then rejection.standing_row_number end as standing_row_number
from {{ ref('rejection') }} as rejection
inner join {{ source('raw', 'contract') }} as contract on rejection.source = contract.source
left join {{ ref('tolerated_rejection') }} as tolerated
    on
        rejection.source = tolerated.source
        and rejection.file_sha256 = tolerated.file_sha256
