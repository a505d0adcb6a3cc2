-- A request type in force on the last day of the run's quarter.
select
    scope.quarter,
    request_type.request_type,
    request_type.label,
    request_type.bulletin_label,
    request_type.display_order
from {{ ref('request_type') }} as request_type
inner join {{ source('raw', 'run_scope') }} as scope
    on {{ is_valid_on('request_type', last_day()) }}
