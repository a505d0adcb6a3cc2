-- A row of the mailbox exports of the run's quarter, typed and classified. No row is left out.
{% set columns = [
    'letter_id', 'mailbox', 'dispatched_at', 'unit_name', 'deadline_at', 'finished_at', 'satisfaction'
] %}
{% set times = ['dispatched_at', 'deadline_at', 'finished_at'] %}
{% set rules = contract_rules('mailbox') %}

with written as (
    {{ written('mailbox', columns, rules, number='letter_id') }}
),

typed as (
    select
        written.*,
        {{ parse_identity('written.letter_id_text', rules) }} as letter_id,
        mailbox_code.code as mailbox,
        {{ parse_timestamp('written.dispatched_at_text', rules) }} as dispatched_at,
        written.unit_name_text as written_name,
        cast(null as {{ dbt.type_string() }}) as evaluation_group,
        {{ parse_timestamp('written.deadline_at_text', rules, whole_day=true) }} as deadline_at,
        {{ parse_timestamp('written.finished_at_text', rules) }} as finished_at,
        satisfaction_code.code as satisfaction
    from written
    {{ join_codes('mailbox', ['mailbox', 'satisfaction']) }}
),

-- The columns that name a unit, typed separately so that the others aren't computed twice.
named as (
    select
        written.unit_name_text as written_name,
        cast(null as {{ dbt.type_string() }}) as evaluation_group,
        {{ parse_timestamp('written.dispatched_at_text', rules) }} as dispatched_at
    from (
        {{ written('mailbox', ['dispatched_at', 'unit_name'], rules) }}
    ) as written
),

resolved as (
    {{ resolved_units('mailbox', rules, rows='named') }}
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
    {{ repeated_rows(['letter_id_text', 'assigned_to'], columns) }}
),
{%- else -%}
written_again as (
    {{ written('mailbox', columns, rules, number='letter_id', is_repeated=true) }}
),

repeated as (
    {{ repeated_rows(['letter_id_text'], columns, rows='written_again') }}
),
{%- endif %}

ambiguous as (
    {{ ambiguous_numbers('mailbox', 'letter_id', rules) }}
),

checked as (
    select
        identified.*,
        scope.quarter_start,
        scope.quarter_end,
        {{ repeated_columns() }},
        ambiguous.ambiguous_number,
        {{ reason(
            'letter_id', rules, 'bad_identity', required=true, is_identity=true,
            number='letter_id'
        ) }},
        {{ reason('mailbox', rules, 'unknown_value', required=true) }},
        {{ reason('dispatched_at', rules, 'bad_timestamp', required=true) }},
        {{ unit_reason() }},
        {{ reason(
            'deadline_at', rules, 'bad_timestamp', not_before='dispatched_at',
            required='deadline_at' in rules.expected
        ) }},
        {{ reason('finished_at', rules, 'bad_timestamp', not_before='dispatched_at') }},
        {{ reason('satisfaction', rules, 'unknown_value') }}
    from identified
    cross join {{ source('raw', 'run_scope') }} as scope
    {{ join_repeated() }}
    {{ join_ambiguous('letter_id') }}
)

select
    file_sha256,
    row_number,
    row_defect,
    standing_file_sha256,
    standing_row_number,
    letter_id,
    mailbox,
    dispatched_at,
    written_name,
    unit_code,
    deadline_at,
    finished_at,
    satisfaction,
    {% for column in times -%}
    {{ column }}_instant,
    {% endfor -%}
    {% for column in columns -%}
    {{ column }}_reason,
    {% endfor -%}
    {{ row_status(columns, ['dispatched_at', 'finished_at']) }}
from checked
