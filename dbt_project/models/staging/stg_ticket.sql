-- A row of the ticket exports of the run's quarter, typed and classed; every row is here.
{% set columns = [
    'work_order_id', 'received_at', 'dispatched_at', 'unit_name', 'evaluation_group', 'request_type',
    'category', 'deadline_at', 'finished_at', 'is_reworked', 'called_back_at', 'callback_result'
] %}
{% set codes = ['evaluation_group', 'request_type', 'category', 'is_reworked', 'callback_result'] %}
{% set rules = contract_rules('ticket') %}

with written as (
    {{ written('ticket', columns, rules) }}
),

typed as (
    select
        written.*,
        written.work_order_id_text as work_order_id,
        {{ parse_timestamp('written.received_at_text', rules) }} as received_at,
        {{ parse_timestamp('written.dispatched_at_text', rules) }} as dispatched_at,
        written.unit_name_text as written_name,
        evaluation_group_code.code as evaluation_group,
        request_type_code.code as request_type,
        category_code.code as category,
        {{ parse_timestamp('written.deadline_at_text', rules, whole_day=true) }} as deadline_at,
        {{ parse_timestamp('written.finished_at_text', rules) }} as finished_at,
        case
            when written.is_reworked_text is null then false
            else cast(is_reworked_code.code as boolean)
        end as is_reworked,
        {{ parse_timestamp('written.called_back_at_text', rules) }} as called_back_at,
        callback_result_code.code as callback_result
    from written
    {{ join_codes('ticket', codes) }}
),

-- The columns that name a unit, typed by themselves: the others aren't worked out twice.
named as (
    select
        written.unit_name_text as written_name,
        evaluation_group_code.code as evaluation_group,
        {{ parse_timestamp('written.dispatched_at_text', rules) }} as dispatched_at
    from (
        {{ written('ticket', ['dispatched_at', 'unit_name', 'evaluation_group'], rules) }}
    ) as written
    {{ join_codes('ticket', ['evaluation_group']) }}
),

resolved as (
    {{ resolved_units('ticket', rows='named') }}
),

identified as (
    select
        typed.*,
        resolved.unit_code,
        resolved.unit_count
    from typed
    {{ join_resolved_unit() }}
),

written_again as (
    {{ written('ticket', columns, rules, repeated_in='work_order_id') }}
),

repeated as (
    {{ repeated_rows(['work_order_id_text'], columns, rows='written_again') }}
),

checked as (
    select
        identified.*,
        scope.quarter_start,
        scope.quarter_end,
        {{ repeated_columns() }},
        {{ reason('work_order_id', required=true, is_identity=true) }},
        {{ reason('received_at', 'bad_timestamp') }},
        {{ reason('dispatched_at', 'bad_timestamp', required=true) }},
        {{ unit_reason() }},
        {{ reason('evaluation_group', 'unknown_value') }},
        {{ reason('request_type', 'unknown_value') }},
        {{ reason('category', 'unknown_value') }},
        {{ reason(
            'deadline_at', 'bad_timestamp', not_before='dispatched_at',
            required='deadline_at' in rules.expected
        ) }},
        {{ reason('finished_at', 'bad_timestamp', not_before='dispatched_at') }},
        {{ reason('is_reworked', 'unknown_value', required='is_reworked' in rules.expected) }},
        {{ reason(
            'called_back_at', 'bad_timestamp', not_before='dispatched_at',
            required='called_back_at' in rules.expected and 'callback_result_text is not null'
        ) }},
        {{ reason(
            'callback_result', 'unknown_value',
            required='callback_result' in rules.expected and 'called_back_at_text is not null'
        ) }}
    from identified
    cross join {{ source('raw', 'run_scope') }} as scope
    {{ join_repeated() }}
)

select
    file_sha256,
    row_number,
    row_defect,
    standing_file_sha256,
    standing_row_number,
    work_order_id,
    received_at,
    dispatched_at,
    written_name,
    unit_code,
    evaluation_group,
    request_type,
    category,
    deadline_at,
    finished_at,
    is_reworked,
    called_back_at,
    callback_result,
    {% for column in columns -%}
    {{ column }}_reason,
    {% endfor -%}
    {{ row_status(columns, ['dispatched_at', 'finished_at', 'called_back_at']) }}
from checked
