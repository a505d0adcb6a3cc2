-- A row of the suggestion exports of the run's quarter (a suggestion handed to one unit), typed and
-- classed; every row is here.
{% set columns = ['suggestion_id', 'dispatched_at', 'unit_name', 'deadline_at', 'finished_at'] %}
{% set rules = contract_rules('suggestion') %}

with written as (
    {{ written('suggestion', columns, rules) }}
),

typed as (
    select
        written.*,
        written.suggestion_id_text as suggestion_id,
        {{ parse_timestamp('written.dispatched_at_text', rules) }} as dispatched_at,
        written.unit_name_text as written_name,
        cast(null as {{ dbt.type_string() }}) as evaluation_group,
        {{ parse_timestamp('written.deadline_at_text', rules, whole_day=true) }} as deadline_at,
        {{ parse_timestamp('written.finished_at_text', rules) }} as finished_at
    from written
),

resolved as (
    {{ resolved_units('suggestion') }}
),

-- Two names of one unit are one assignment, so the unit identifies it where the name is known.
identified as (
    select
        typed.*,
        resolved.unit_code,
        resolved.unit_count,
        coalesce(resolved.unit_code, typed.written_name) as assigned_to
    from typed
    {{ join_resolved_unit() }}
),

repeated as (
    {{ repeated_rows(['suggestion_id', 'assigned_to'], columns) }}
),

checked as (
    select
        identified.*,
        scope.quarter_start,
        scope.quarter_end,
        {{ repeated_columns() }},
        {{ reason('suggestion_id', required=true, is_identity=true) }},
        {{ reason('dispatched_at', 'bad_timestamp', required=true) }},
        {{ unit_reason() }},
        {{ reason(
            'deadline_at', 'bad_timestamp', not_before='dispatched_at',
            required='deadline_at' in rules.expected
        ) }},
        {{ reason('finished_at', 'bad_timestamp', not_before='dispatched_at') }}
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
    suggestion_id,
    dispatched_at,
    written_name,
    unit_code,
    deadline_at,
    finished_at,
    {% for column in columns -%}
    {{ column }}_reason,
    {% endfor -%}
    {{ row_status(columns, ['dispatched_at', 'finished_at']) }}
from checked
