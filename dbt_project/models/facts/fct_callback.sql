-- A callback completed in a quarter, even if its ticket was dispatched in another one.
select
    scope.quarter,
    ticket.work_order_id,
    ticket.unit_code,
    ticket.called_back_at,
    ticket.callback_result,
    ticket.callback_result = 'dissatisfied' as is_dissatisfied,
    ticket.file_sha256,
    ticket.row_number
from {{ ref('stg_ticket') }} as ticket
cross join {{ source('raw', 'run_scope') }} as scope
where ticket.row_status = 'accepted' and {{ in_quarter('ticket.called_back_at') }}
