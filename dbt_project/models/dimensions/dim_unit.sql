-- A unit that exists on the last day of the run's quarter, with its evaluation group (null: none).
select
    scope.quarter,
    unit.unit_code,
    unit.unit_name,
    membership.evaluation_group,
    membership.display_order
from {{ ref('unit') }} as unit
inner join {{ source('raw', 'run_scope') }} as scope on {{ is_valid_on('unit', last_day()) }}
left join {{ ref('evaluation_group') }} as membership
    on unit.unit_code = membership.unit_code and {{ is_valid_on('membership', last_day()) }}
