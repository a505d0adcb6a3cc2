-- A request type in a quarter. A ticket without a type is null in the facts and counts in the row
-- `untyped` here, so that the types add up to the total.
with counted as (
    select
        ticket.quarter,
        coalesce(ticket.request_type, 'untyped') as request_type,
        count(*) as ticket_count
    from {{ ref('fct_ticket') }} as ticket
    inner join {{ source('raw', 'run_scope') }} as scope on ticket.quarter = scope.quarter
    where ticket.is_due
    group by ticket.quarter, coalesce(ticket.request_type, 'untyped')
),

listed as (
    select
        request_type.quarter,
        request_type.request_type,
        coalesce(counted.ticket_count, 0) as ticket_count
    from {{ ref('dim_request_type') }} as request_type
    left join counted
        on
            request_type.quarter = counted.quarter
            and request_type.request_type = counted.request_type
)

select
    quarter,
    request_type,
    ticket_count,
    {{ rate('ticket_count', 'cast(sum(ticket_count) over () as bigint)') }} as share
from listed
order by request_type
