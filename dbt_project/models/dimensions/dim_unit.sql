-- A unit that existed by the last day of the run's quarter, with its evaluation group, or null.
-- A unit that has ended (merged into another) keeps its last name and group, for items that were
-- dispatched to it earlier. Only a unit that still exists on that day is listed without items.
with latest as (
    select
        unit.unit_code,
        max(unit.valid_from) as valid_from
    from {{ ref('unit') }} as unit
    inner join {{ source('raw', 'run_scope') }} as scope on unit.valid_from <= {{ last_day() }}
    group by unit.unit_code
),

existing as (
    select
        scope.quarter,
        unit.unit_code,
        unit.unit_name,
        coalesce(unit.valid_to >= {{ last_day() }}, true) as is_listed,
        least({{ last_day() }}, coalesce(unit.valid_to, {{ last_day() }})) as seen_on
    from {{ ref('unit') }} as unit
    inner join latest on unit.unit_code = latest.unit_code and unit.valid_from = latest.valid_from
    cross join {{ source('raw', 'run_scope') }} as scope
)

select
    existing.quarter,
    existing.unit_code,
    existing.unit_name,
    membership.evaluation_group,
    membership.display_order,
    existing.is_listed
from existing
left join {{ ref('evaluation_group') }} as membership
    on
        existing.unit_code = membership.unit_code
        and {{ is_valid_on('membership', 'existing.seen_on') }}
