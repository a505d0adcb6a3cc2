-- A figure of the quarter before, as published, against that quarter's own marts once it is loaded.
with compared as (
    select
        scope.quarter,
        'comparative_category' as control_id,
        comparative.subject,
        comparative.measure,
        comparative.value as expected,
        previous.ticket_count as actual
    from {{ ref('comparative_figure') }} as comparative
    inner join {{ source('raw', 'run_scope') }} as scope
        on comparative.quarter = scope.previous_quarter
    left join {{ ref('hotline_category_quarter') }} as previous
        on comparative.quarter = previous.quarter and comparative.subject = previous.category
    where
        comparative.control_id = 'hotline_category'
        and comparative.measure = 'ticket_count'
        and comparative.quarter in (select loaded.quarter from {{ ref('fct_ticket') }} as loaded)
)

{{ both_sides('compared') }}
