-- A figure of the quarter's published bulletin, as printed and as a number. No row is left out.
-- A unit isn't required here (most rows of the text name none); the published controls require it.
{% set columns = [
    'document', 'table_name', 'table_row', 'printed_group', 'printed_name', 'printed_measure',
    'printed_value'
] %}
{% set identity = ['document', 'table_name', 'table_row', 'printed_measure'] %}
{% set rules = contract_rules('bulletin') %}

with written as (
    {{ written('bulletin', columns, rules) }}
),

typed as (
    select
        written.*,
        written.document_text as document,
        written.table_name_text as table_name,
        cast({{ parse_number('written.table_row_text') }} as bigint) as table_row,
        printed_group_code.code as printed_group,
        written.printed_name_text as printed_name,
        written.printed_measure_text as printed_measure,
        {{ parse_number('written.printed_value_text') }} as printed_value,
        written.printed_name_text as written_name,
        printed_group_code.code as evaluation_group,
        {{ last_day() }} as valid_on
    from written
    cross join {{ source('raw', 'run_scope') }} as scope
    {{ join_codes('bulletin', ['printed_group']) }}
),

resolved as (
    {{ resolved_units('bulletin', rules, 'valid_on') }}
),

identified as (
    select
        typed.*,
        case when resolved.unit_count = 1 then resolved.unit_code end as unit_code
    from typed
    {{ join_resolved_unit('typed.valid_on') }}
),

repeated as (
    {{ repeated_rows(identity, columns) }}
),

checked as (
    select
        identified.*,
        {{ repeated_columns() }},
        {{ reason('document', rules, required=true, is_identity=true) }},
        {{ reason('table_name', rules, required=true) }},
        {{ reason('table_row', rules, 'bad_number', required=true) }},
        {{ reason('printed_group', rules, 'unknown_value') }},
        {{ reason('printed_name', rules, required=true) }},
        {{ reason('printed_measure', rules, required=true) }},
        {{ reason('printed_value', rules, 'bad_number', required=true) }}
    from identified
    {{ join_repeated() }}
)

select
    file_sha256,
    row_number,
    row_defect,
    standing_file_sha256,
    standing_row_number,
    document,
    table_name,
    table_row,
    printed_group as evaluation_group,
    printed_name,
    unit_code,
    printed_measure,
    printed_value_text as written_value,
    printed_value,
    {% for column in columns -%}
    {{ column }}_reason,
    {% endfor -%}
    {{ row_status(columns) }}
from checked
