-- A row of the suggestion exports of the run's quarter (a suggestion assigned to one unit), typed
-- and classified. No row is left out.
{% set columns = ['suggestion_id', 'dispatched_at', 'unit_name', 'deadline_at', 'finished_at'] %}
{% set times = ['dispatched_at', 'deadline_at', 'finished_at'] %}
{% set rules = contract_rules('suggestion') %}

with written as (
    {{ written('suggestion', columns, rules, number='suggestion_id') }}
),

typed as (
    select
        written.*,
        {{ parse_identity('written.suggestion_id_text', rules) }} as suggestion_id,
        {{ parse_timestamp('written.dispatched_at_text', rules) }} as dispatched_at,
        written.unit_name_text as written_name,
        cast(null as {{ dbt.type_string() }}) as evaluation_group,
        {{ parse_timestamp('written.deadline_at_text', rules, whole_day=true) }} as deadline_at,
        {{ parse_timestamp('written.finished_at_text', rules) }} as finished_at
    from written
),

resolved as (
    {{ resolved_units('suggestion', rules) }}
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

repeated as (
    {{ repeated_rows(
        ['suggestion_id_text', 'assigned_to'] if 'unit_name' in rules.identity else ['suggestion_id_text'],
        columns
    ) }}
),

ambiguous as (
    {{ ambiguous_numbers('suggestion', 'suggestion_id', rules) }}
),

checked as (
    select
        identified.*,
        scope.quarter_start,
        scope.quarter_end,
        {{ repeated_columns() }},
        ambiguous.ambiguous_number,
        {{ reason(
            'suggestion_id', rules, 'bad_identity', required=true, is_identity=true,
            number='suggestion_id'
        ) }},
        {{ reason('dispatched_at', rules, 'bad_timestamp', required=true) }},
        {{ unit_reason() }},
        {{ reason(
            'deadline_at', rules, 'bad_timestamp', not_before='dispatched_at',
            required='deadline_at' in rules.expected
        ) }},
        {{ reason('finished_at', rules, 'bad_timestamp', not_before='dispatched_at') }}
    from identified
    cross join {{ source('raw', 'run_scope') }} as scope
    {{ join_repeated() }}
    {{ join_ambiguous('suggestion_id') }}
)

select
    file_sha256,
    row_number,
    row_defect,
    standing_file_sha256,
    standing_row_number,
    suggestion_id,
    dispatched_at,
    written_name,
    unit_code,
    deadline_at,
    finished_at,
    {% for column in times -%}
    {{ column }}_instant,
    {% endfor -%}
    {% for column in columns -%}
    {{ column }}_reason,
    {% endfor -%}
    {{ row_status(columns, ['dispatched_at', 'finished_at']) }}
from checked
