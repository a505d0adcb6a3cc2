-- The number of callbacks made in the quarter on tickets that were dispatched before it, by unit
-- and for the district. It is the most by which callbacks may exceed the quarter's due tickets.
with callback as (
    select
        made.quarter,
        made.unit_code
    from {{ ref('fct_callback') }} as made
    inner join {{ source('raw', 'run_scope') }} as scope on made.quarter = scope.quarter
    inner join {{ ref('fct_ticket') }} as ticket
        on
            made.quarter = ticket.quarter
            and made.file_sha256 = ticket.file_sha256
            and made.row_number = ticket.row_number
    where ticket.dispatched_at < scope.quarter_start
),

counted as (
    select
        quarter,
        unit_code as subject,
        count(*) as callback_count
    from callback
    group by quarter, unit_code
    union all
    select
        quarter,
        'district' as subject,
        count(*) as callback_count
    from callback
    group by quarter
)

select
    quarter,
    subject,
    callback_count,
    '本季度回访了更早交办的工单 ' || callback_count || ' 件' as reason
from counted
