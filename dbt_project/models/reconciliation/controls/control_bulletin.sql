-- The bulletin against itself: the results of `hotline lint-bulletin`, the only implementation, in
-- Python. The callbacks that it infers are compared with the marts here.
select
    quarter,
    control_id,
    side,
    subject,
    measure,
    value
from {{ source('raw', 'bulletin_lint') }}
union all
select
    quarter,
    'bulletin_inferred_callback' as control_id,
    'actual' as side,
    subject,
    measure,
    value
from {{ ref('mart_figure') }}
where
    mart in ('hotline_unit_quarter', 'hotline_district_quarter')
    and measure = 'callback_count'
