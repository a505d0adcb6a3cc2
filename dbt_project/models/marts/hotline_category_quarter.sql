-- A category in a quarter, compared with the previous quarter. A ticket without a category counts
-- as `other`: the bulletin prints six categories and has no row for tickets without one. The
-- previous figure comes from the previous quarter's last published version if there is one, else
-- from a published comparative figure. Data that was loaded but not published is never used.
with counted as (
    select
        ticket.quarter,
        coalesce(ticket.category, 'other') as category,
        count(*) as ticket_count
    from {{ ref('fct_ticket') }} as ticket
    inner join {{ source('raw', 'run_scope') }} as scope on ticket.quarter = scope.quarter
    where ticket.is_due
    group by ticket.quarter, coalesce(ticket.category, 'other')
),

previous as (
    select
        figure.quarter,
        figure.measure,
        figure.value
    from {{ source('raw', 'last_version_figure') }} as figure
    inner join {{ source('raw', 'run_scope') }} as scope
        on figure.quarter = scope.previous_quarter
    where figure.mart = 'hotline_category_quarter'
),

published as (
    select distinct quarter
    from previous
),

compared as (
    select
        scope.quarter,
        category.category,
        coalesce(counted.ticket_count, 0) as ticket_count,
        case
            when published.quarter is not null then cast(coalesce(previous.value, 0) as bigint)
            else cast(comparative.value as bigint)
        end as previous_count
    from {{ ref('dim_category') }} as category
    inner join {{ source('raw', 'run_scope') }} as scope on category.quarter = scope.quarter
    left join published on scope.previous_quarter = published.quarter
    left join counted
        on category.quarter = counted.quarter and category.category = counted.category
    left join previous on category.category || '.ticket_count' = previous.measure
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
