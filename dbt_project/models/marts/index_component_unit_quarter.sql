-- A unit and a component of its index in a quarter; the points of a unit add up to its index.
select
    quarter,
    subject as unit_code,
    component,
    numerator,
    denominator,
    rate,
    weight,
    points
from {{ ref('int_hotline_index_point') }}
where subject != 'district'
order by unit_code, component
