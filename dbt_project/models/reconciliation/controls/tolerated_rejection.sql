-- A file whose rejected rows are tolerated by its source's contract: other rows replace them by its
-- rule for conflicts, and the source's remaining rejections stay within the tolerated share.
with overruled as (
    select
        rejection.source,
        rejection.file_sha256,
        count(*) as row_count
    from {{ ref('rejection') }} as rejection
    inner join {{ source('raw', 'contract') }} as contract on rejection.source = contract.source
    where {{ is_overruled('rejection', 'contract') }}
    group by rejection.source, rejection.file_sha256
),

counted as (
    select
        file.quarter,
        file.source,
        file.file_sha256,
        file.subject,
        balance.read_count,
        balance.rejected_count,
        coalesce(overruled.row_count, 0) as overruled_count,
        balance.rejected_count - coalesce(overruled.row_count, 0) as faulty_count
    from {{ ref('current_file') }} as file
    inner join {{ ref('row_balance') }} as balance
        on
            file.quarter = balance.quarter
            and file.source = balance.source
            and file.file_sha256 = balance.file_sha256
    left join overruled
        on
            file.source = overruled.source
            and file.file_sha256 = overruled.file_sha256
),

source_total as (
    select
        source,
        sum(read_count) as read_count,
        sum(faulty_count) as faulty_count
    from counted
    group by source
)

select
    counted.quarter,
    counted.source,
    counted.file_sha256,
    counted.subject,
    case
        when counted.overruled_count > 0
            then
                counted.overruled_count
                || ' 行与另一行编号相同而内容不同，按契约以文件名靠后的文件、靠后的行为准'
        else ''
    end
    || case when counted.overruled_count > 0 and counted.faulty_count > 0 then '；' else '' end
    || case
        when counted.faulty_count > 0
            then
                '来源共拒收 ' || source_total.faulty_count || ' 行（读到 '
                || source_total.read_count || ' 行），在契约容许的 '
                || cast(contract.rejected_tolerance as {{ dbt.type_string() }}) || ' 以内'
        else ''
    end as reason
from counted
inner join source_total on counted.source = source_total.source
inner join {{ source('raw', 'contract') }} as contract on counted.source = contract.source
where
    counted.rejected_count > 0
    -- It is unknown which of the rows is right, so no share of such rows is tolerated.
    and counted.source not in (
        select rejection.source from {{ ref('rejection') }} as rejection
        where rejection.reason_code in ('ambiguous_identity', 'conflicting_files')
    )
    and (
        counted.faulty_count = 0
        or source_total.faulty_count <= contract.rejected_tolerance * source_total.read_count
    )
