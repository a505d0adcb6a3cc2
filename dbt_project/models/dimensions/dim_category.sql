-- A category in force on the last day of the run's quarter.
select
    scope.quarter,
    category.category,
    category.label,
    category.bulletin_label,
    category.display_order
from {{ ref('category') }} as category
inner join {{ source('raw', 'run_scope') }} as scope
    on {{ is_valid_on('category', last_day()) }}
