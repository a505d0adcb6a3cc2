-- A suggestion's assignment to a unit in a quarter; a suggestion can be assigned to several units.
select
    scope.quarter,
    suggestion.suggestion_id,
    suggestion.unit_code,
    suggestion.dispatched_at,
    suggestion.deadline_at,
    suggestion.finished_at,
    {{ handling_flags('suggestion') }},
    suggestion.file_sha256,
    suggestion.row_number
from {{ ref('stg_suggestion') }} as suggestion
cross join {{ source('raw', 'run_scope') }} as scope
where suggestion.row_status = 'accepted'
