-- A current file of the run's quarter, by source. A workbook may hold several sources, so a file is
-- joined by source and hash. `subject` is its name in the controls.
select
    file.quarter,
    file.source,
    file.file_sha256,
    file.row_count,
    file.counted_row_count,
    case
        when count(*) over (partition by file.file_name) = 1 then file.file_name
        else file.file_name || '（' || file.source || '）'
    end as subject
from {{ source('raw', 'source_file') }} as file
inner join {{ source('raw', 'run_scope') }} as scope on file.quarter = scope.quarter
where file.superseded_by is null
