-- A reason why a row of a current file was rejected: the row, the column and a code, never a value.
-- A row that couldn't be read has no column; for a row that the value guards stopped, row_defect
-- has it after two colons. byte_number is where a line stops decoding; standing_* is the row that
-- replaces this one.
{% set checked = {
    'stg_ticket': ['ticket', [
        'work_order_id', 'received_at', 'dispatched_at', 'unit_name', 'evaluation_group',
        'request_type', 'category', 'deadline_at', 'finished_at', 'is_reworked', 'called_back_at',
        'callback_result'
    ]],
    'stg_letter': ['mailbox', [
        'letter_id', 'mailbox', 'dispatched_at', 'unit_name', 'deadline_at', 'finished_at',
        'satisfaction'
    ]],
    'stg_suggestion': ['suggestion', [
        'suggestion_id', 'dispatched_at', 'unit_name', 'deadline_at', 'finished_at'
    ]],
    'stg_published_figure': ['bulletin', [
        'document', 'table_name', 'table_row', 'printed_group', 'printed_name', 'printed_measure',
        'printed_value'
    ]]
} %}

{% for model, (source_name, columns) in checked.items() -%}
{% for column in columns + [none] -%}
{% set reason = column ~ '_reason' if column else 'row_defect' -%}
select
    '{{ source_name }}' as source,
    file_sha256,
    row_number,
    {{ "'" ~ column ~ "'" if column else "split_part(row_defect, ':', 3)" }} as column_name,
    split_part({{ reason }}, ':', 1) as reason_code,
    cast(nullif(split_part({{ reason }}, ':', 2), '') as bigint) as byte_number,
    standing_file_sha256,
    standing_row_number
from {{ ref(model) }}
where row_status = 'rejected' and {{ reason }} is not null
{{ 'union all' if not loop.last }}
{% endfor -%}
{{ 'union all' if not loop.last }}
{% endfor -%}
