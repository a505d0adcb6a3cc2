-- Rows from file to fact: each step has as many rows as the step before.
with raw_row as (
    {% for source_name in ['ticket', 'mailbox', 'suggestion', 'bulletin'] -%}
    select
        '{{ source_name }}' as source,
        file_sha256,
        count(*) as row_count
    from {{ source('raw', source_name) }}
    group by file_sha256
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

-- A file without rows counts 0; rows of a file that isn't registered appear under its hash.
counted as (
    select
        coalesce(file.subject, raw_row.file_sha256) as subject,
        file.quarter,
        file.source,
        file.file_sha256,
        file.counted_row_count,
        file.row_count as lake_row_count,
        coalesce(raw_row.row_count, 0) as raw_row_count
    from {{ ref('current_file') }} as file
    full outer join raw_row
        on
            file.source = raw_row.source
            and file.file_sha256 = raw_row.file_sha256
),

balanced as (
    select
        counted.subject,
        counted.counted_row_count,
        counted.lake_row_count,
        counted.raw_row_count,
        balance.rejected_count,
        balance.accepted_count + balance.rejected_count + balance.duplicate_count
        + balance.out_of_scope_count as staged_row_count
    from counted
    left join {{ ref('row_balance') }} as balance
        on
            counted.source = balance.source
            and counted.file_sha256 = balance.file_sha256
            and counted.quarter = balance.quarter
),

accepted as (
    {% for fact, staged in [
        ('fct_ticket', 'stg_ticket'),
        ('fct_letter', 'stg_letter'),
        ('fct_suggestion_assignment', 'stg_suggestion')
    ] -%}
    select
        '{{ fact }}' as subject,
        count(*) as row_count
    from {{ ref(staged) }}
    where row_status = 'accepted'
    union all
    {% endfor -%}
    select
        'fct_callback' as subject,
        count(*) as row_count
    from {{ ref('stg_ticket') }} as ticket
    inner join {{ source('raw', 'run_scope') }} as scope
        on {{ in_quarter('ticket.called_back_at') }}
    where ticket.row_status = 'accepted'
),

fact as (
    {% for fact in ['fct_ticket', 'fct_callback', 'fct_letter', 'fct_suggestion_assignment'] -%}
    select
        '{{ fact }}' as subject,
        count(*) as row_count
    from {{ ref(fact) }} as item
    inner join {{ source('raw', 'run_scope') }} as scope on item.quarter = scope.quarter
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

compared as (
    {% for control_id, step, measure, expected, actual in [
        ('file_to_lake', 'balanced', 'row_count', 'counted_row_count', 'lake_row_count'),
        ('lake_to_raw', 'balanced', 'row_count', 'lake_row_count', 'raw_row_count'),
        ('raw_to_staging', 'balanced', 'row_count', 'raw_row_count', 'staged_row_count'),
        ('rejected_rows', 'balanced', 'rejected_count', '0', 'rejected_count'),
        ('staging_to_fact', 'accepted', 'row_count', 'row_count', 'null'),
        ('staging_to_fact', 'fact', 'row_count', 'null', 'row_count')
    ] -%}
    select
        scope.quarter,
        '{{ control_id }}' as control_id,
        step.subject,
        '{{ measure }}' as measure,
        {{ expected }} as expected,
        {{ actual }} as actual
    from {{ step }} as step
    cross join {{ source('raw', 'run_scope') }} as scope
    {{ 'union all' if not loop.last }}
    {% endfor -%}
)

{{ both_sides('compared') }}
