-- A reason why a row of a current file was rejected: the row, the column and a code, never a value.
-- A row that couldn't be read names no column. Only a warning within the source's tolerance.
{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ clear_quarter('file_sha256') }}"
) }}

{% set checked = {
    'stg_ticket': [
        'work_order_id', 'received_at', 'dispatched_at', 'unit_name', 'evaluation_group',
        'request_type', 'category', 'deadline_at', 'finished_at', 'is_reworked', 'called_back_at',
        'callback_result'
    ],
    'stg_letter': [
        'letter_id', 'mailbox', 'dispatched_at', 'unit_name', 'deadline_at', 'finished_at',
        'satisfaction'
    ],
    'stg_suggestion': [
        'suggestion_id', 'dispatched_at', 'unit_name', 'deadline_at', 'finished_at'
    ],
    'stg_published_figure': [
        'document', 'table_name', 'table_row', 'printed_group', 'printed_name', 'printed_measure',
        'printed_value'
    ]
} %}

with reason as (
    {% for model, columns in checked.items() -%}
    {% for column in columns -%}
    select
        file_sha256,
        row_number,
        '{{ column }}' as column_name,
        {{ column }}_reason as reason_code,
        null::bigint as byte_number
    from {{ ref(model) }}
    where row_status = 'rejected' and {{ column }}_reason is not null
    union all
    {% endfor -%}
    select
        file_sha256,
        row_number,
        '' as column_name,
        split_part(row_defect, ':', 1) as reason_code,
        nullif(split_part(row_defect, ':', 2), '')::bigint as byte_number
    from {{ ref(model) }}
    where row_status = 'rejected' and row_defect is not null
    {{ 'union all' if not loop.last }}
    {% endfor -%}
)

select
    reason.file_sha256,
    reason.row_number,
    reason.column_name,
    reason.reason_code,
    reason.byte_number,
    case when tolerated.file_sha256 is null then 'error' else 'warn' end as severity
from reason
left join {{ ref('tolerated_rejection') }} as tolerated
    on reason.file_sha256 = tolerated.file_sha256
