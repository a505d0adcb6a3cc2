-- A row of the ticket exports of the run's quarter, typed and classified. No row is left out.
{% set columns = [
    'work_order_id', 'received_at', 'dispatched_at', 'unit_name', 'evaluation_group', 'request_type',
    'category', 'deadline_at', 'finished_at', 'is_reworked', 'called_back_at', 'callback_result'
] %}
{% set codes = ['evaluation_group', 'request_type', 'category', 'is_reworked', 'callback_result'] %}
{% set times = ['received_at', 'dispatched_at', 'deadline_at', 'finished_at', 'called_back_at'] %}
{% set rules = contract_rules('ticket') %}

with written as (
    {{ written('ticket', columns, rules, number='work_order_id') }}
),

typed as (
    select
        written.*,
        {{ parse_identity('written.work_order_id_text', rules) }} as work_order_id,
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

-- The columns that name a unit, typed separately so that the others aren't computed twice.
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
    {{ resolved_units('ticket', rules, rows='named') }}
),

-- Two names of one unit are one assignment, so the unit identifies it if the name is known.
identified as (
    select
        typed.*,
        resolved.unit_code,
        resolved.unit_count,
        coalesce(resolved.unit_code, typed.written_name) as assigned_to,
        {{ instants(times, rules) }}
    from typed
    {{ join_resolved_unit() }}
),

{% if 'unit_name' in rules.identity -%}
repeated as (
    {{ repeated_rows(['work_order_id_text', 'assigned_to'], columns) }}
),
{%- else -%}
written_again as (
    {{ written('ticket', columns, rules, number='work_order_id', is_repeated=true) }}
),

repeated as (
    {{ repeated_rows(['work_order_id_text'], columns, rows='written_again') }}
),
{%- endif %}

ambiguous as (
    {{ ambiguous_numbers('ticket', 'work_order_id', rules) }}
),

checked as (
    select
        identified.*,
        scope.quarter_start,
        scope.quarter_end,
        {{ repeated_columns() }},
        ambiguous.ambiguous_number,
        {{ reason(
            'work_order_id', rules, 'bad_identity', required=true, is_identity=true,
            number='work_order_id'
        ) }},
        {{ reason('received_at', rules, 'bad_timestamp') }},
        {{ reason('dispatched_at', rules, 'bad_timestamp', required=true) }},
        {{ unit_reason() }},
        {{ reason('evaluation_group', rules, 'unknown_value') }},
        {{ reason('request_type', rules, 'unknown_value') }},
        {{ reason('category', rules, 'unknown_value') }},
        {{ reason(
            'deadline_at', rules, 'bad_timestamp', not_before='dispatched_at',
            required='deadline_at' in rules.expected
        ) }},
        {{ reason('finished_at', rules, 'bad_timestamp', not_before='dispatched_at') }},
        {{ reason(
            'is_reworked', rules, 'unknown_value', required='is_reworked' in rules.expected
        ) }},
        {{ reason(
            'called_back_at', rules, 'bad_timestamp', not_before='dispatched_at',
            required='called_back_at' in rules.expected and 'callback_result_text is not null'
        ) }},
        {{ reason(
            'callback_result', rules, 'unknown_value',
            required='callback_result' in rules.expected and 'called_back_at_text is not null'
        ) }}
    from identified
    cross join {{ source('raw', 'run_scope') }} as scope
    {{ join_repeated() }}
    {{ join_ambiguous('work_order_id') }}
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
    {% for column in times -%}
    {{ column }}_instant,
    {% endfor -%}
    {% for column in columns -%}
    {{ column }}_reason,
    {% endfor -%}
    {{ row_status(columns, ['dispatched_at', 'finished_at', 'called_back_at']) }}
from checked
