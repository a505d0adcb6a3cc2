-- A known discrepancy that explains nothing (any more) stops the run until its owner corrects or
-- removes it. If it stayed, it could explain a difference that nobody has looked at.
{{ config(severity='error') }}
select known.discrepancy_id
from {{ ref('known_discrepancy') }} as known
inner join {{ source('raw', 'run_scope') }} as scope
    on known.quarter = scope.quarter and scope.has_bulletin
left join {{ ref('reconciliation') }} as result
    on
        scope.run_id = result.run_id
        and known.control_id = result.control_id
        and known.subject = result.subject
        and known.measure = result.measure
        and result.status = 'explained'
where result.run_id is null
