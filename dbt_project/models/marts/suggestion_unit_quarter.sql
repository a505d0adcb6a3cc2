-- A unit in a quarter on micro-suggestions, only if an assignment was due. A suggestion counts once
-- for each unit that it was assigned to.
select
    assignment.quarter,
    assignment.unit_code,
    unit.unit_name,
    count(*) as due_count,
    count(*) filter (where assignment.is_on_time) as on_time_count,
    count(*) filter (where assignment.is_overdue) as overdue_count
from {{ ref('fct_suggestion_assignment') }} as assignment
inner join {{ source('raw', 'run_scope') }} as scope on assignment.quarter = scope.quarter
left join {{ ref('dim_unit') }} as unit on assignment.unit_code = unit.unit_code
where assignment.is_due
group by assignment.quarter, assignment.unit_code, unit.unit_name
order by assignment.unit_code
