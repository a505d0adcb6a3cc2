-- A file with rejected rows whose source stays within the share that its contract tolerates.
with source_total as (
    select
        source,
        sum(read_count) as read_count,
        sum(rejected_count) as rejected_count
    from {{ ref('row_balance') }}
    where quarter in (select scope.quarter from {{ source('raw', 'run_scope') }} as scope)
    group by source
)

select
    balance.quarter,
    balance.file_sha256,
    file.file_name,
    '来源共拒收 ' || source_total.rejected_count || ' 行（读到 ' || source_total.read_count
    || ' 行），在契约容许的 ' || cast(contract.rejected_tolerance as {{ dbt.type_string() }})
    || ' 以内' as reason
from {{ ref('row_balance') }} as balance
inner join {{ source('raw', 'run_scope') }} as scope on balance.quarter = scope.quarter
inner join {{ source('raw', 'source_file') }} as file
    on balance.quarter = file.quarter and balance.file_sha256 = file.file_sha256
inner join source_total on balance.source = source_total.source
inner join {{ source('raw', 'contract') }} as contract on balance.source = contract.source
where
    balance.rejected_count > 0
    and source_total.rejected_count <= contract.rejected_tolerance * source_total.read_count
