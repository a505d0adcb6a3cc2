-- A ticket in a quarter: each accepted ticket with any activity in the quarter, counted or not.
select
    scope.quarter,
    ticket.work_order_id,
    ticket.unit_code,
    ticket.request_type,
    ticket.category,
    ticket.received_at,
    ticket.dispatched_at,
    ticket.deadline_at,
    ticket.finished_at,
    {{ handling_flags('ticket') }},
    {{ in_quarter('ticket.dispatched_at') }} and ticket.is_reworked as is_rework,
    ticket.file_sha256,
    ticket.row_number
from {{ ref('stg_ticket') }} as ticket
cross join {{ source('raw', 'run_scope') }} as scope
where ticket.row_status = 'accepted'
