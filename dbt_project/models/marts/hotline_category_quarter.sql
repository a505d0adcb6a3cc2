-- A category in a quarter, against the quarter before. A ticket without a category counts as
-- `other`: the bulletin prints six categories and has no row for tickets without one.
-- The quarter before is its own tickets where it was loaded, else a published comparative figure.
with counted as (
    select
        ticket.quarter,
        coalesce(ticket.category, 'other') as category,
        count(*) as ticket_count
    from {{ ref('fct_ticket') }} as ticket
    where
        ticket.is_due
        and ticket.quarter in (
            select scope.quarter from {{ source('raw', 'run_scope') }} as scope
            union all
            select scope.previous_quarter from {{ source('raw', 'run_scope') }} as scope
        )
    group by ticket.quarter, coalesce(ticket.category, 'other')
),

loaded as (
    select distinct quarter
    from {{ ref('fct_ticket') }}
    where quarter in (select scope.previous_quarter from {{ source('raw', 'run_scope') }} as scope)
),

compared as (
    select
        scope.quarter,
        category.category,
        coalesce(counted.ticket_count, 0) as ticket_count,
        case
            when loaded.quarter is not null then coalesce(previous.ticket_count, 0)
            else cast(comparative.value as bigint)
        end as previous_count
    from {{ ref('dim_category') }} as category
    inner join {{ source('raw', 'run_scope') }} as scope on category.quarter = scope.quarter
    left join loaded on scope.previous_quarter = loaded.quarter
    left join counted
        on category.quarter = counted.quarter and category.category = counted.category
    left join counted as previous
        on scope.previous_quarter = previous.quarter and category.category = previous.category
    left join {{ ref('comparative_figure') }} as comparative
        on
            scope.previous_quarter = comparative.quarter
            and category.category = comparative.subject
            and comparative.control_id = 'hotline_category'
            and comparative.measure = 'ticket_count'
)

select
    quarter,
    category,
    ticket_count,
    {{ rate('ticket_count', 'cast(sum(ticket_count) over () as bigint)') }} as share,
    previous_count,
    cast({{ ratio('(ticket_count - previous_count)', 'previous_count') }} as decimal(9, 4))
        as quarter_on_quarter_change
from compared
order by category
