-- A mailbox letter in a quarter: each accepted letter with any activity in the quarter.
select
    scope.quarter,
    letter.letter_id,
    letter.unit_code,
    letter.mailbox,
    letter.dispatched_at,
    letter.deadline_at,
    letter.finished_at,
    letter.satisfaction,
    {{ handling_flags('letter') }},
    letter.file_sha256,
    letter.row_number
from {{ ref('stg_letter') }} as letter
cross join {{ source('raw', 'run_scope') }} as scope
where letter.row_status = 'accepted'
