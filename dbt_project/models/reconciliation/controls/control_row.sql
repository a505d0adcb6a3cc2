-- Rows from file to fact: each step has as many as the one before it says.
with file as (
    select registered.*
    from {{ source('raw', 'source_file') }} as registered
    inner join {{ source('raw', 'run_scope') }} as scope on registered.quarter = scope.quarter
    where registered.superseded_by is null
),

raw_row as (
    {% for source_name in ['ticket', 'mailbox', 'suggestion', 'bulletin'] -%}
    select
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
        coalesce(file.file_name, raw_row.file_sha256) as subject,
        file.file_sha256,
        file.counted_row_count,
        file.row_count as lake_row_count,
        coalesce(raw_row.row_count, 0) as raw_row_count
    from file
    full outer join raw_row on file.file_sha256 = raw_row.file_sha256
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
    left join {{ ref('row_balance') }} as balance on counted.file_sha256 = balance.file_sha256
),

accepted as (
    select 'fct_ticket' as subject, count(*) as row_count
    from {{ ref('stg_ticket') }}
    where row_status = 'accepted'
    union all
    select 'fct_callback' as subject, count(*) as row_count
    from {{ ref('stg_ticket') }} as ticket
    inner join {{ source('raw', 'run_scope') }} as scope on {{ in_quarter('ticket.called_back_at') }}
    where ticket.row_status = 'accepted'
    union all
    select 'fct_letter' as subject, count(*) as row_count
    from {{ ref('stg_letter') }}
    where row_status = 'accepted'
    union all
    select 'fct_suggestion_assignment' as subject, count(*) as row_count
    from {{ ref('stg_suggestion') }}
    where row_status = 'accepted'
),

fact as (
    {% for fact in ['fct_ticket', 'fct_callback', 'fct_letter', 'fct_suggestion_assignment'] -%}
    select
        '{{ fact }}' as subject,
        count(*) as row_count
    from {{ ref(fact) }}
    where quarter in (select quarter from {{ source('raw', 'run_scope') }})
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

compared as (
    select 'file_to_lake' as control_id, subject, 'row_count' as measure,
        counted_row_count as expected, lake_row_count as actual
    from balanced
    union all
    select 'lake_to_raw', subject, 'row_count', lake_row_count, raw_row_count
    from balanced
    union all
    select 'raw_to_staging', subject, 'row_count', raw_row_count, staged_row_count
    from balanced
    union all
    select 'rejected_rows', subject, 'rejected_count', 0, rejected_count
    from balanced
    union all
    select 'staging_to_fact', subject, 'row_count', row_count, null
    from accepted
    union all
    select 'staging_to_fact', subject, 'row_count', null, row_count
    from fact
),

in_quarter as (
    select
        scope.quarter,
        compared.*
    from compared
    cross join {{ source('raw', 'run_scope') }} as scope
)

{{ both_sides('in_quarter') }}
