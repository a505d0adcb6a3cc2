-- A unit and a mailbox in a quarter, only if a letter was due.
select
    letter.quarter,
    letter.unit_code,
    unit.unit_name,
    letter.mailbox,
    count(*) as due_count,
    count(*) filter (where letter.is_handled) as handled_count,
    count(*) filter (where letter.is_on_time) as on_time_count,
    count(*) filter (where letter.is_overdue) as overdue_count
from {{ ref('fct_letter') }} as letter
inner join {{ source('raw', 'run_scope') }} as scope on letter.quarter = scope.quarter
left join {{ ref('dim_unit') }} as unit on letter.unit_code = unit.unit_code
where letter.is_due
group by letter.quarter, letter.unit_code, unit.unit_name, letter.mailbox
order by letter.unit_code, letter.mailbox
