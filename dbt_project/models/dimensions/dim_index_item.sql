-- A scored item of the index policy in force on the last day of the run's quarter.
select
    scope.quarter,
    policy.policy_version,
    policy.index_scale,
    item.component,
    item.display_order,
    item.kind,
    item.numerator,
    item.denominator,
    item.weight,
    item.rate_when_empty
from {{ ref('index_policy') }} as policy
inner join {{ source('raw', 'run_scope') }} as scope on {{ is_valid_on('policy', last_day()) }}
inner join {{ ref('index_policy_item') }} as item on policy.policy_version = item.policy_version
